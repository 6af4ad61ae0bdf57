"""A log of a test, and records to fill it with."""

import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from contracts import topics
from contracts.codec import Record
from contracts.facts import DuplicateFact, Fact
from contracts.receipts import AlertChannel, Receipt, ReceiptStatus
from contracts.values import Verb
from services.audit import reading, seal
from services.audit.note import Signer
from services.audit.reading import Arrival, Gap
from services.audit.seal import Key
from services.audit.sequence import Batch, Head, Known, assemble, check
from services.audit.sequencer import Sequencer
from services.audit.verify import Verdict, verify
from services.runtime.telemetry import Telemetry
from tests.support import builders as make

ORIGIN = "log.example/audit"
CLUSTER = "test-cluster"
MILLISECONDS = int(make.NOW.timestamp() * 1000)


@dataclass
class Arrivals:
    """Gives records the next offset of their topic, as a log reads them."""

    offsets: dict[str, int] = field(default_factory=dict)

    def arrival(self, one: Record) -> Arrival:
        """The record at the next offset of its topic."""
        offset = self.offsets.get(one.topic, 0)
        self.offsets[one.topic] = offset + 1
        return reading.read(replace(one, offset=offset), CLUSTER, f"id-of-{one.topic}")

    def gap(self, topic: str, count: int) -> Gap:
        """So many offsets without records."""
        first = self.offsets.get(topic, 0)
        self.offsets[topic] = first + count
        return Gap(CLUSTER, topic, f"id-of-{topic}", 0, first, first + count - 1, "lost")


@dataclass
class MemoryLog(Arrivals):
    """A log without a database: what was appended, and all that the next batch has to know."""

    batches: list[Batch] = field(default_factory=list)
    keys: dict[tuple[str, str], Key] = field(default_factory=dict)

    @property
    def leaves(self) -> list[bytes]:
        """All leaves in order."""
        return [one for batch in self.batches for one in batch.leaves]

    @property
    def head(self) -> Head:
        """Where the log ends."""
        return self.batches[-1].head if self.batches else Head()

    def append(self, *items: Arrival | Gap) -> Batch:
        """Append one batch; keys are made as needed."""
        for item in items:
            if isinstance(item, Arrival) and item.scope not in self.keys:
                self.keys[item.scope] = seal.key(str(uuid4()), os.urandom(32))
        known = Known(
            {name: tail for batch in self.batches for name, tail in batch.owners.items()},
            {id: tail for batch in self.batches for id, tail in batch.referrals.items()},  # noqa: A001
            {use: first for batch in self.batches for use, first in batch.uses.items()},
            self.keys,
        )
        batch = assemble(self.head, items, known)
        check(self.head, batch)
        self.batches.append(batch)
        return batch


@dataclass
class Log(Arrivals):
    """A log and the roles around it; ``admin`` is the superuser who may break it."""

    database: str = field(kw_only=True)
    app: asyncpg.Connection = field(kw_only=True)
    keys: asyncpg.Connection = field(kw_only=True)
    admin: asyncpg.Connection = field(kw_only=True)
    signer: Signer = field(kw_only=True)
    connect: Callable[..., Awaitable[asyncpg.Connection]] = field(kw_only=True)

    def sequencer(self) -> Sequencer:
        """A sequencer that appends what it is given, from the beginning of an empty log."""
        made = Sequencer(self.app, self.app, self.keys, self.signer, None, Telemetry("audit"))  # type: ignore[arg-type]
        made.head = Head()
        return made

    async def verify(self, keys: bool = True, seen: str | None = None) -> Verdict:
        """The verdict on what is stored."""
        return await verify(self.app, self.signer.verifier.vkey, self.keys if keys else None, seen)

    async def break_it(self, *statements: str, arguments: Sequence[Any] = ()) -> None:
        """Do what only a superuser can: change rows of the log. ``arguments`` go to every statement."""
        async with self.admin.transaction():
            rows = await self.admin.fetch("select tablename from pg_tables where schemaname in ('audit', 'audit_keys')")
            for row in rows:
                table = row["tablename"]
                schema = "audit_keys" if table == "data_key" else "audit"
                if table != "migration":
                    await self.admin.execute(f"alter table {schema}.{table} disable trigger user")
            for statement in statements:
                status = await self.admin.execute(statement, *arguments)
                assert status.split()[-1] != "0", f"nothing was broken by {statement}"


def declared(
    referral: UUID | str | None = None,
    verb: Verb = Verb.RECEIVED,
    by: str = make.SENDER,
    id: UUID | str | None = None,  # noqa: A002
) -> Record:
    """A declaration without a sealed part: quick to make."""
    return make.record(
        make.declaration(
            verb, UUID(str(referral or uuid4())), uuid4(), by=by, id=UUID(str(id or uuid4())), seal_it=False
        )
    )


def desk(by: str) -> Record:
    """A declaration through our pages."""
    return replace(declared(by=by), topic=topics.inbound(topics.DESK))


def raw(value: bytes | None = b"{}", key: bytes | None = b"key", headers: Any = ()) -> Record:
    """Any record of the sender's topic."""
    return Record(topics.inbound(make.SENDER), 0, 0, MILLISECONDS, key, headers, value)


def fact(cause: Arrival) -> Record:
    """A fact about a record, on the facts topic."""
    event = UUID(cause.event) if cause.event else None
    made = Fact(
        id=uuid4(),
        time=make.NOW,
        referral=UUID(cause.referral) if cause.referral else None,
        need=None,
        data=DuplicateFact(
            cause={  # type: ignore[arg-type]
                "cluster": cause.cluster, "topic": cause.record.topic, "topic_id": cause.topic_id, "partition": 0,
                "offset": cause.record.offset, "owner": cause.owner, "event": event, "sha256": "00" * 32,
            },
            first=uuid4(), first_outcome="applied", received_at=make.NOW,
        ),
    )  # fmt: skip
    return Record(topics.FACTS, 0, 0, MILLISECONDS, made.key, tuple(made.headers()), made.value())


def receipt(of: str, referral: str | None) -> Record:
    """A receipt of an alert about a fact."""
    made = Receipt(
        alert=uuid4(), fact=UUID(of), referral=UUID(referral) if referral else None,
        recipient=make.RECIPIENT, channel=AlertChannel.INBOX, status=ReceiptStatus.DELIVERED, attempt=0, at=make.NOW,
    )  # fmt: skip
    return Record(topics.ALERTS, 0, 0, MILLISECONDS, made.key, tuple(made.headers()), made.value())


async def fill(log: Log, sequencer: Sequencer | None = None) -> Sequencer:
    """300 leaves of every kind in four batches; the last one has the indexes 290 to 299."""
    sequencer = sequencer or log.sequencer()
    referrals = [uuid4() for _ in range(20)]
    again = declared(referrals[0])
    first = [log.arrival(again), *(log.arrival(declared(referrals[n % 20])) for n in range(99))]
    await sequencer.append(first)
    conflicting = declared(referrals[1], id=first[0].event)
    about = log.arrival(fact(first[0]))
    assert about.event is not None
    second: list[Arrival | Gap] = [
        log.arrival(again),
        log.arrival(conflicting),
        log.gap(topics.inbound(make.SENDER), 7),
        log.arrival(raw(None)),
        log.arrival(desk(make.OTHER)),
        about,
        log.arrival(receipt(about.event, about.referral)),
    ]
    await sequencer.append(second)
    await sequencer.append([log.arrival(declared(referrals[n % 20], by=make.RECIPIENT)) for n in range(183)])
    await sequencer.append([log.arrival(declared(referrals[n])) for n in range(10)])
    return sequencer
