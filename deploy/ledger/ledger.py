"""Reads every part of a system at rest and holds it against all the others."""

import asyncio
import mailbox
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer

from contracts import topics
from deploy.audit import verify_log
from deploy.database import reader
from deploy.ledger import checks, kafka, leaks
from deploy.ledger.checks import StoredAlert, StoredFact
from deploy.ledger.kafka import Seen
from deploy.provision import Target
from services.referrals.refold import refold
from services.runtime import sql

_SQL = sql.load(Path(__file__).parent.parent / "sql" / "operator.sql")

SHOWN = 20
"""Problems named one by one; a broken ledger has thousands of the same kind."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """The totals, and everything that does not fit. ``institutions``: outcomes of each one's own records."""

    published: int
    applied: int
    refused: int
    duplicates: int
    conflicts: int
    quarantined: int
    alerts: int
    mails: int
    leaves: int
    institutions: Mapping[str, Mapping[str, int]]
    problems: tuple[str, ...]


async def check(target: Target, canary: str | None = None) -> Ledger:
    """The ledger of a system at rest (see ``quiet``). ``canary`` stood in inbound records only and is looked for."""
    seen = await kafka.read(target, canary)
    async with reader(target, "referrals") as connection:
        stored = [_fact(row) for row in await connection.fetch(_SQL["facts"])]
        alerts = [StoredAlert(**row) for row in await connection.fetch(_SQL["alerts"])]
        logged = Counter({_place(row): row["leaves"] for row in await connection.fetch(_SQL["leaves"])})
        current = {row["referral"]: row["version"] for row in await connection.fetch(_SQL["versions"])}
        mails = await asyncio.to_thread(_mails, target.state.mail)
        problems = [
            *checks.offsets(seen),
            *checks.one_outcome_each(seen, stored),
            *checks.versions(stored, current),
            *checks.published_facts(seen, stored),
            *checks.told_parties(seen, stored),
            *checks.sealed_parts(seen, stored),
            *checks.canary_free(seen),
            *checks.alerts(seen, alerts, target.directory.by_code, mails),
            *checks.leaves(seen, logged),
            *await _recomputed(target, connection),
        ]
        if canary is not None:
            problems += leaks.files((target.state.logs, target.state.mail), canary)
            problems += [problem async for problem in leaks.tables(connection, canary)]
    return _ledger(seen, stored, alerts, mails, logged, problems)


async def _recomputed(target: Target, connection: asyncpg.Connection) -> list[str]:
    folded = await refold(connection)
    verdict = await verify_log(target)
    differences = [f"refold: referral {d.referral} {d.what}" for d in folded.differences]
    return [*differences, *([f"audit log: {verdict}"] if verdict.misfit else [])]


def _ledger(
    seen: list[Seen],
    stored: list[StoredFact],
    alerts: list[StoredAlert],
    mails: Counter[str],
    logged: Counter[checks.Place],
    problems: list[str],
) -> Ledger:
    published = sum(1 for one in seen if topics.owner(one.topic))
    outcomes = Counter(fact.outcome for fact in stored)
    if published != sum(outcomes.values()):
        problems.append(f"{published} records were published and {sum(outcomes.values())} have an outcome")
    institutions: dict[str, Counter[str]] = {}
    for fact in stored:
        institutions.setdefault(fact.owner, Counter())[fact.outcome] += 1
    return Ledger(
        published=published,
        applied=outcomes["applied"],
        refused=outcomes["refused"],
        duplicates=outcomes["duplicate"],
        conflicts=outcomes["conflict"],
        quarantined=outcomes["quarantined"],
        alerts=len(alerts),
        mails=len(mails),
        leaves=sum(logged.values()),
        institutions={code: dict(sorted(counts.items())) for code, counts in sorted(institutions.items())},
        problems=tuple(problems),
    )


async def quiet(target: Target, within: float = 120) -> None:
    """Wait until every record has its outcome, its alerts, its mails and its leaf. Raises TimeoutError.

    Quiet is when two looks in a row find nothing to do and the same counts: a receipt is a record too, so the
    log is the last to come to rest.
    """
    names = kafka.counted(target)
    consumer = AIOKafkaConsumer(**kafka.login(target))
    await consumer.start()
    consumer._client.set_topics(names)
    try:
        async with asyncio.timeout(within), reader(target, "referrals") as connection:
            before: Any = None
            while True:
                published = {place: end for place, end in (await kafka.ends(consumer, names)).items() if end}
                now = await _done(connection, published)
                if now is not None and now == before:
                    return
                before = now
                await asyncio.sleep(0.3)
    finally:
        await consumer.stop()


async def _done(connection: asyncpg.Connection, published: Mapping[Any, int]) -> tuple[int, ...] | None:
    """The counts when nothing is left to do, else None."""
    counts = await connection.fetchrow(_SQL["counts"])
    behind = await connection.fetchrow(_SQL["behind"])
    inbound = sum(end for place, end in published.items() if topics.owner(place.topic))
    idle = not any(behind.values()) and counts["decided"] >= inbound and counts["leaves"] >= sum(published.values())
    return tuple(counts.values()) if idle else None


def _fact(row: asyncpg.Record) -> StoredFact:
    return StoredFact(
        fact_id=row["fact_id"],
        outcome=row["outcome"],
        owner=row["owner"],
        place=_place(row),
        digest=row["digest"],
        referral=row["referral"],
        version=row["version"],
        parties=frozenset(row["parties"]),
        sealed_for=row["sealed_for"],
    )


def _place(row: asyncpg.Record) -> checks.Place:
    return row["topic"], row["partition"], row["record_offset"]


def _mails(folder: Path) -> Counter[str]:
    """How often each Message-ID arrived; its left part is the alert's id."""
    box = mailbox.Maildir(folder, create=False)
    return Counter(parseaddr(message["Message-ID"])[1].partition("@")[0] for message in box)
