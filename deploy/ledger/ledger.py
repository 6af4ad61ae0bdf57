"""Reads every part of a system as of one moment and holds it against all the others."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.parser import BytesHeaderParser
from email.utils import parseaddr
from pathlib import Path

import asyncpg

from contracts import topics
from deploy.audit import verify_log
from deploy.ledger import checks, kafka, leaks
from deploy.ledger.checks import Misfit
from deploy.ledger.kafka import Seen
from deploy.ledger.kept import kept as kept_of
from deploy.ledger.rest import at_rest
from deploy.ledger.stored import Place, StoredAlert, StoredFact
from deploy.provision import Target
from services.referrals.refold import refold
from services.runtime import sql

_SQL = sql.load(Path(__file__).parent.parent / "sql" / "operator.sql")

SHOWN = 20
"""Problems named one by one; a broken ledger has thousands of the same kind."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """The totals, and everything that does not fit. ``institutions``: outcomes of each one's own records.

    ``begins``: the first offset of every partition that has forgotten its oldest records; what was told of those is not
    counted and not looked for.
    """

    published: int
    applied: int
    refused: int
    duplicates: int
    conflicts: int
    quarantined: int
    parked: int
    alerts: int
    mails: int
    leaves: int
    institutions: Mapping[str, Mapping[str, int]]
    begins: Mapping[str, int]
    problems: tuple[Misfit, ...]


async def check(target: Target, canary: str | None = None, within: float = 120) -> Ledger:
    """The ledger as of the next moment of rest, which must come ``within`` these seconds. Raises rest.Restless.

    Problems are in the order of the way that a record takes, and of each kind the oldest comes first: the first one
    is where to look. ``canary`` stood in inbound records only and is looked for everywhere else.
    """
    async with at_rest(target, within) as rest:
        connection = rest.connection
        seen = await kafka.read(target, rest.ends, canary)
        rows = await connection.fetch(_SQL["facts"])
        stored = [_fact(row) for row in rows]
        # Those decided on a topic that was removed, or made anew under its old name, have no record to be held against.
        standing = [
            fact for fact, row in zip(stored, rows, strict=True) if rest.topic_ids.get(row["topic"]) == row["topic_id"]
        ]
        alerts = [StoredAlert(**row) for row in await connection.fetch(_SQL["alerts"])]
        kept = kept_of(seen, stored, rest.begins, datetime.now(UTC))
        logged = await _logged(connection, list(rest.topic_ids.values()))
        current = {row["referral"]: row["version"] for row in await connection.fetch(_SQL["versions"])}
        mails = await asyncio.to_thread(_mails, rest.mails)
        problems: list[Misfit] = [
            *checks.offsets(seen, kept),
            *checks.one_outcome_each(seen, standing, kept),
            *checks.parked(standing),
            *checks.versions(stored, current),
            *checks.published_facts(seen, stored, kept),
            *checks.told_parties(seen, stored, kept),
            *checks.sealed_parts(seen, stored, kept),
            *checks.canary_free(seen),
            *checks.alerts(seen, alerts, target.directory.by_code, mails, kept),
            *checks.leaves(seen, logged, kept),
            *await _recomputed(target, connection),
        ]
        if canary is not None:
            problems += map(checks.wrong, leaks.files(target.state.logs, target.state.mail, canary))
            problems += [checks.wrong(problem) async for problem in leaks.tables(connection, canary)]
    counted = [fact for fact in standing if kept.has(*fact.place)]
    begins = {f"{topic}-{number}": first for (topic, number), first in kept.first.items() if first}
    return _ledger(seen, counted, alerts, mails, logged, problems, begins)


async def quiet(target: Target, within: float = 120) -> None:
    """Wait until every record has its outcome, its alerts, its mails and its leaf. Raises rest.Restless."""
    async with at_rest(target, within):
        pass


async def _logged(connection: asyncpg.Connection, topic_ids: Sequence[str]) -> Counter[Place]:
    """How many leaves each record has, in the log and in those that were closed."""
    leaves: Counter[Place] = Counter()
    view = await connection.fetchval("show search_path")
    for log in await connection.fetch(_SQL["logs"]):
        await connection.execute(f"set local search_path to {log['schema']}")
        leaves.update({_place(row): row["leaves"] for row in await connection.fetch(_SQL["leaves"], topic_ids)})
    await connection.execute(f"set local search_path to {view}")
    return leaves


async def _recomputed(target: Target, connection: asyncpg.Connection) -> list[Misfit]:
    folded = await refold(connection)
    verdict = await verify_log(target)
    differences = [checks.wrong(f"refold: referral {d.referral} {d.what}") for d in folded.differences]
    return [*differences, *([checks.wrong(f"audit log: {verdict}")] if verdict.misfit else [])]


def _ledger(
    seen: list[Seen],
    stored: list[StoredFact],
    alerts: list[StoredAlert],
    mails: Counter[str],
    logged: Counter[Place],
    problems: list[Misfit],
    begins: Mapping[str, int],
) -> Ledger:
    published = sum(1 for one in seen if topics.owner(one.topic))
    answers = checks.outcomes(stored)
    outcomes = Counter(fact.outcome for fact in answers)
    if published != sum(outcomes.values()):
        problems.append(
            checks.wrong(f"{published} records were published and {sum(outcomes.values())} have an outcome")
        )
    institutions: dict[str, Counter[str]] = {}
    for fact in answers:
        institutions.setdefault(fact.owner, Counter())[fact.outcome] += 1
    return Ledger(
        published=published,
        applied=outcomes["applied"],
        refused=outcomes["refused"],
        duplicates=outcomes["duplicate"],
        conflicts=outcomes["conflict"],
        quarantined=outcomes["quarantined"],
        parked=outcomes["parked"],
        alerts=len(alerts),
        mails=len(mails),
        leaves=sum(logged.values()),
        institutions={code: dict(sorted(counts.items())) for code, counts in sorted(institutions.items())},
        begins=begins,
        problems=tuple(problems),
    )


def _fact(row: asyncpg.Record) -> StoredFact:
    return StoredFact(
        fact_id=row["fact_id"],
        outcome=row["outcome"],
        ordinal=row["ordinal"],
        answer=row["answer"],
        provisional=row["provisional"],
        waits=row["waits"],
        owner=row["owner"],
        place=_place(row),
        digest=row["digest"],
        referral=row["referral"],
        version=row["version"],
        parties=frozenset(row["parties"]),
        sealed_for=row["sealed_for"],
    )


def _place(row: asyncpg.Record) -> Place:
    return row["topic"], row["partition"], row["record_offset"]


def _mails(files: Sequence[Path]) -> Counter[str]:
    """How often each Message-ID arrived; its left part is the alert's id."""
    parser = BytesHeaderParser()
    ids = (parser.parsebytes(file.read_bytes())["Message-ID"] for file in files)
    return Counter(parseaddr(id)[1].partition("@")[0] for id in ids)  # noqa: A001
