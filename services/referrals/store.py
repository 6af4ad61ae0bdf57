"""The transaction of a batch: ensure, lock, look up, fold, save, append. The order is what makes it safe.

Rows that may be opened are ensured first, then roots are locked in order, then the rest of their chains (whoever
changes a chain holds its root), then the senders of requests. Measured with eight workers: no deadlock and no lost
update in this order, lost updates with a blind upsert.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from uuid import UUID

import asyncpg

from contracts.codec import Declaration, Located
from contracts.declarations import Requested
from contracts.directory import Institution
from contracts.facts import QuarantinedFact, RefusedFact
from contracts.values import Service, State
from services.referrals import rows
from services.referrals.answers import Claim, Decided
from services.referrals.entries import Entry, read, unstorable
from services.referrals.fold import Folded, Person, fold
from services.referrals.former import Former
from services.referrals.referral import Referral
from services.runtime import failpoints, logs, sql

log = logging.getLogger("ruta.referrals")
_SQL = sql.load(Path(__file__).parent / "sql" / "intake.sql")

_FACT_COLUMNS = (
    "fact_id", "kind", "outcome", "ordinal", "referral", "version", "need", "owner", "event_id", "digest",
    "parties", "received_at", "cluster", "topic_id", "partition", "record_offset", "value",
    "traceparent",
)  # fmt: skip


async def apply(
    connection: asyncpg.Connection,
    batch: Sequence[Located],
    refused_by_storage: bool,
    members: Mapping[str, Institution],
) -> Mapping[tuple[str, str], int]:
    """Take a batch inside the caller's transaction: states, facts and sealed parts, or nothing at all.

    Returns how often each outcome was given, with its reason code where it has one.
    """
    entries = [read(located, members) for located in batch]
    if refused_by_storage:
        entries = [unstorable(entry) for entry in entries]
    failpoints.hit("intake.decoded")
    declared = [entry for entry in entries if isinstance(entry.content, Declaration)]
    opening = {opened for entry in declared if (opened := entry.opens)}
    if opening:
        await connection.execute(_SQL["ensure"], list(opening))
    locked = await _lock(connection, declared, opening)
    failpoints.hit("intake.locked")
    referrals = {row["referral"]: rows.restore(row) for row in locked if row["version"]}
    claims, formers = await _claims(connection, declared), await _formers(connection, declared)
    failpoints.hit("intake.claimed")
    folded = fold(entries, referrals, claims, members, formers)
    failpoints.hit("intake.folded")
    await _save(connection, folded, referrals)
    in_vain = [row["referral"] for row in locked if not row["version"] and row["referral"] not in folded.referrals]
    if in_vain:
        await connection.execute(_SQL["forget"], in_vain)
    failpoints.hit("intake.saved")
    await _append(connection, folded)
    failpoints.hit("intake.appended")
    return _report(folded)


async def _lock(
    connection: asyncpg.Connection, declared: Sequence[Entry], opening: Iterable[UUID]
) -> Sequence[asyncpg.Record]:
    """The rows of all chains that the batch names, locked; those that are new are still empty."""
    named = {entry.content.envelope.referral for entry in declared if entry.content.envelope}.union(opening)
    if not named:
        return ()
    roots = await connection.fetch(_SQL["lock"], list(named))
    # Only what was sent on has others behind it.
    parted = [row["referral"] for row in roots if row["state"] in (State.REDIRECTED, State.VOIDED)]
    return [*roots, *await connection.fetch(_SQL["lock_chains"], parted)] if parted else roots


async def _formers(connection: asyncpg.Connection, declared: Sequence[Entry]) -> dict[Person, list[Former]]:
    """What the senders of the batch's requests have already asked for the same persons."""
    asked = {
        (entry.owner, entry.content.details.person)
        for entry in declared
        if isinstance(entry.content, Declaration) and isinstance(entry.content.details, Requested)
    }
    found: dict[Person, list[Former]] = {}
    if asked:
        senders, persons = map(list, zip(*asked, strict=True))
        await connection.execute(_SQL["lock_senders"], senders)
        for row in await connection.fetch(_SQL["formers"], senders, persons):
            former = Former(
                row["referral"], row["recipient"], Service(row["service"]), State(row["state"]), row["opened_at"]
            )
            found.setdefault((row["sender"], row["person"]), []).append(former)
    return found


async def _claims(connection: asyncpg.Connection, declared: Sequence[Entry]) -> dict[tuple[str, UUID], Claim]:
    if not declared:
        return {}
    ids = [entry.content.envelope.id for entry in declared]  # type: ignore[union-attr]
    owners = list({entry.owner for entry in declared})
    found = await connection.fetch(_SQL["claims"], ids, owners)
    return {(r["owner"], r["event_id"]): Claim(r["fact_id"], r["digest"], r["outcome"]) for r in found}


async def _save(connection: asyncpg.Connection, folded: Folded, stored: Mapping[UUID, Referral]) -> None:
    opened = [(*rows.changing(r), *rows.lasting(r)) for r in folded.referrals.values() if r.id not in stored]
    changed = [rows.changing(r) for r in folded.referrals.values() if r.id in stored]
    for statement, made in (("open", opened), ("change", changed)):
        if made:
            await connection.execute(_SQL[statement], *map(list, zip(*made, strict=True)))


async def _append(connection: asyncpg.Connection, folded: Folded) -> None:
    await connection.execute(_SQL["append_lock"])
    await connection.copy_records_to_table(
        "fact", records=[_row(decided) for decided in folded.facts], columns=_FACT_COLUMNS
    )
    if folded.sealed:
        await connection.copy_records_to_table(
            "sealed",
            records=[(s.fact_id, s.recipient, s.jwe) for s in folded.sealed],
            columns=("fact_id", "recipient", "jwe"),
        )
    await connection.execute(_SQL["notify"])


def _row(decided: Decided) -> tuple[object, ...]:
    fact, cause, head = decided.fact, decided.fact.data.cause, decided.entry.content.envelope
    return (
        fact.id, fact.data.kind, fact.outcome, decided.ordinal, fact.referral, getattr(fact.data, "version", None),
        fact.need, cause.owner, cause.event, decided.entry.digest, list(decided.parties), fact.time, cause.cluster,
        cause.topic_id, cause.partition, cause.offset, decided.value, head and head.traceparent,
    )  # fmt: skip


def _report(folded: Folded) -> Mapping[tuple[str, str], int]:
    for error in folded.errors:
        log.critical("internal error in the rules, record quarantined", extra={"reason": logs.describe(error)})
    answers = [decided for decided in folded.facts if decided.ordinal == 0]
    outcomes = Counter((decided.fact.outcome, _reason(decided)) for decided in answers)
    told = {reason or outcome: count for (outcome, reason), count in outcomes.items()}
    log.info("batch", extra={"records": len(answers), "outcomes": told})
    return outcomes


def _reason(decided: Decided) -> str:
    match decided.fact.data:
        case QuarantinedFact(problem=problem):
            return str(problem)
        case RefusedFact(reason=reason):
            return str(reason)
    return ""
