"""The one that appends: takes whatever is waiting on all logged topics and adds it in one transaction.

Any error ends the process; the next one goes on where the last committed batch ends. A second process waits for the
lock and takes over when the first one's connection falls.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import asyncpg
from aiokafka import AIOKafkaConsumer

from services.audit import keyring, predecessor, proofs, seen, sequence, store, tree
from services.audit.note import Signer
from services.audit.reading import Arrival, Gap
from services.audit.sequence import FirstUse, Head, Known, Tail, Use
from services.audit.streams import Streams
from services.runtime import clock, failpoints, kafka
from services.runtime.settings import Settings
from services.runtime.telemetry import Telemetry

log = logging.getLogger("ruta.audit")

MAX_RECORDS = 1_024
FETCH_TOTAL_BYTES = 16 * 1024 * 1024
"""What one fetch may bring: a batch is held in memory four times over (record, frame, sealed, parameters)."""

REMEMBERED_REFERRALS = 100_000
"""Chains whose last leaf is kept in memory; another one costs a look into an index."""

GATHER_MS = 200
GATHER_BYTES = 128 * 1024
"""Kafka answers a fetch when one of the two is reached: a declaration, its fact and its receipts follow each other
within milliseconds, and one answer, one transaction and one signature for all of them cost a third. A backlog does not
wait."""

POLL_SECONDS = 0.5
STANDBY_SECONDS = 1.0


def consumer(settings: Settings) -> AIOKafkaConsumer:
    """A consumer without a group: positions are in the log's own batches.

    Uncommitted records are read too, because a decision may have been made on them.
    """
    return kafka.reader(
        kafka.client_options(settings),
        isolation_level="read_uncommitted",
        fetch_max_bytes=FETCH_TOTAL_BYTES,
        fetch_min_bytes=GATHER_BYTES,
        fetch_max_wait_ms=GATHER_MS,
        metadata_max_age_ms=kafka.METADATA_MAX_AGE_MS,
    )


class Sequencer:
    """Appends for as long as it holds the lock. Its three connections are used by nobody else.

    ``writer`` holds the lock and stores one batch; meanwhile the next one is put together with ``reader`` (the log)
    and ``keys``. What the batch on its way holds is taken from memory, and nothing follows it before it is committed.
    """

    def __init__(
        self,
        writer: asyncpg.Connection,
        reader: asyncpg.Connection,
        keys: asyncpg.Connection,
        signer: Signer,
        streams: Streams,
        telemetry: Telemetry,
        seen_file: Path | None = None,
    ) -> None:
        self.writer, self.reader, self.keys = writer, reader, keys
        self.signer = signer
        self.streams = streams
        self.telemetry = telemetry
        self.seen_file = seen_file
        self.checkpoint: str | None = None
        """The newest one that this process has committed."""
        self.head: Head | None = None
        self.signed: tuple[int, datetime] | None = None
        """Size and time of the newest checkpoint, whoever committed it."""
        self.busy_since: float | None = None
        self._owners: dict[str, Tail] = {}
        self._referrals: dict[str, Tail] = {}
        self._uses: Mapping[Use, FirstUse] = {}
        self._on_its_way: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Wait for the lock, then append for ever. Raises whatever goes wrong."""
        while not await store.become_the_only_one(self.writer):
            await asyncio.sleep(STANDBY_SECONDS)
        try:
            head = await tree.head(self.writer, self.signer.verifier)
            await seen.check(self.writer, self.signer.verifier, self.seen_file, head)
            before = await predecessor.read(self.writer)
            predecessor.differs(before, self.signer.verifier)
        except tree.NotOurs as why:
            log.critical("the log is not continued: %s; ./ruta audit begin-anew says what to do", why)
            raise
        self.head = head
        if newest := await proofs.newest(self.reader):
            self.signed = newest.size, newest.stored_at
        log.info("sequencer active", extra={"size": head.size})
        if before is not None and not head.size:
            await self.append(await predecessor.gaps(self.reader, before))
        async with self.streams.listing():
            while True:
                await self._turn()

    def missing(self) -> list[str]:
        """What this process waits for besides records, in short phrases."""
        return ["another process is the sequencer"] if self.head is None else self.streams.missing()

    async def _turn(self) -> None:
        if (changed := self.streams.changed()) is not None:
            await self._committed()
            stored = await store.positions(self.reader, changed.cluster, changed.partitions.values())
            await self.append(await self.streams.assign(changed, stored))
        items = await self.streams.take(POLL_SECONDS, MAX_RECORDS)
        if self._on_its_way is not None and self._on_its_way.done():
            await self._committed()
        if items:
            failpoints.hit("log.fetched")
            await self._send(items)

    async def append(self, items: Sequence[Arrival | Gap]) -> None:
        """Add these items as one batch; it is durable when this returns."""
        if items:
            await self._send(items)
            await self._committed()

    async def _send(self, items: Sequence[Arrival | Gap]) -> None:
        assert self.head is not None
        known = await self._known(items)
        batch = sequence.assemble(self.head, items, known)
        sequence.check(self.head, batch)
        failpoints.hit("log.assembled")
        await self._committed()
        self._on_its_way = asyncio.create_task(self._store(batch, items))
        self.head, self._uses = batch.head, batch.uses
        self._remember(batch)

    async def _committed(self) -> None:
        if self._on_its_way is not None:
            await self._on_its_way
            self._on_its_way = None

    async def _store(self, batch: sequence.Batch, items: Sequence[Arrival | Gap]) -> None:
        records = [item.record for item in items if isinstance(item, Arrival)]
        self.busy_since = started = time.monotonic()
        with self.telemetry.batch("append", (record.headers for record in records)):
            self.checkpoint = await store.append(self.writer, batch, self.signer)
        failpoints.hit("log.committed")
        self.busy_since, now = None, clock.now()
        self.signed = batch.head.size, now
        kinds = Counter(str(one.kind) for one in batch.columns)
        for kind, count in kinds.items():
            self.telemetry.add("ruta.leaves", count, kind=kind)
        if records:
            oldest = min(record.timestamp for record in records) / 1000
            self.telemetry.record("ruta.sequencing.latency", max(0.0, now.timestamp() - oldest))
        log.info(
            "batch",
            extra={
                "records": len(batch.leaves),
                "size": batch.head.size,
                "outcomes": dict(kinds),
                "seconds": round(time.monotonic() - started, 4),
            },
        )

    async def _known(self, items: Sequence[Arrival | Gap]) -> Known:
        owners, referrals, uses = store.named(items)
        scopes = {item.scope for item in items if isinstance(item, Arrival)}
        keys = await keyring.keys(self.keys, scopes) if scopes else {}
        if unknown := owners - self._owners.keys():
            self._owners |= await store.owner_tails(self.reader, unknown)
        tails = {referral: tail for referral in referrals if (tail := self._referrals.get(referral))}
        if unseen := referrals - tails.keys():
            tails |= await store.referral_tails(self.reader, unseen)
        # The batch on its way may be committed already or not: what it holds is the same either way.
        return Known(self._owners, tails, {**await store.first_uses(self.reader, uses), **self._uses}, keys)

    def _remember(self, batch: sequence.Batch) -> None:
        # Oldest first out; the batch on its way is always among the youngest.
        self._owners |= batch.owners
        for referral, tail in batch.referrals.items():
            self._referrals.pop(referral, None)
            self._referrals[referral] = tail
        while len(self._referrals) > REMEMBERED_REFERRALS:
            del self._referrals[next(iter(self._referrals))]
