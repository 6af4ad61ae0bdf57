"""The transaction of a batch: ensure, lock, look up, fold, save, append. The order is what makes it safe.

Measured with eight workers: no deadlock and no lost update in this order, lost updates with a blind upsert.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import UUID

import asyncpg

from contracts.codec import Declaration, Located
from contracts.directory import Institution
from contracts.values import Service, State, Urgency, Verb
from services.referrals.fold import Claim, Decided, Entry, Folded, fold, read, unstorable
from services.referrals.lifecycle import Referral
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
    requested = {e.content.envelope.referral for e in declared if e.content.envelope.verb is Verb.REQUESTED}  # type: ignore[union-attr]
    named = {e.content.envelope.referral for e in declared}  # type: ignore[union-attr]
    if requested:
        await connection.execute(_SQL["ensure"], list(requested))
    rows = await connection.fetch(_SQL["lock"], list(named)) if named else []
    failpoints.hit("intake.locked")
    referrals = {row["referral"]: restore(row) for row in rows if row["version"]}
    claims = await _claims(connection, declared)
    failpoints.hit("intake.claimed")
    folded = fold(entries, referrals, claims, members)
    failpoints.hit("intake.folded")
    await _save(connection, folded)
    in_vain = [row["referral"] for row in rows if not row["version"] and row["referral"] not in folded.referrals]
    if in_vain:
        await connection.execute(_SQL["forget"], in_vain)
    failpoints.hit("intake.saved")
    await _append(connection, folded)
    failpoints.hit("intake.appended")
    return _report(folded)


def restore(row: asyncpg.Record) -> Referral:
    """The frozen value of a referral's row."""
    return Referral(
        id=row["referral"],
        version=row["version"],
        state=State(row["state"]),
        sender=row["sender"],
        recipient=row["recipient"],
        need=row["need"],
        person=row["person"],
        service=Service(row["service"]),
        urgency=Urgency(row["urgency"]),
        opened_at=row["opened_at"],
        changed_at=row["changed_at"],
    )


async def _claims(connection: asyncpg.Connection, declared: Sequence[Entry]) -> dict[tuple[str, UUID], Claim]:
    if not declared:
        return {}
    ids = [entry.content.envelope.id for entry in declared]  # type: ignore[union-attr]
    owners = list({entry.owner for entry in declared})
    rows = await connection.fetch(_SQL["claims"], ids, owners)
    return {(r["owner"], r["event_id"]): Claim(r["fact_id"], r["digest"], r["outcome"]) for r in rows}


async def _save(connection: asyncpg.Connection, folded: Folded) -> None:
    if not folded.referrals:
        return
    rows = [
        (r.id, r.version, r.state, r.sender, r.recipient, r.need, r.person, r.service, r.urgency, r.opened_at,
         r.changed_at)
        for r in folded.referrals.values()
    ]  # fmt: skip
    await connection.execute(_SQL["save"], *map(list, zip(*rows, strict=True)))


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
        fact.id, fact.data.kind, fact.outcome, 0, fact.referral, getattr(fact.data, "version", None), fact.need,
        cause.owner, cause.event, decided.entry.digest, list(decided.parties), fact.time, cause.cluster,
        cause.topic_id, cause.partition, cause.offset, decided.value, head and head.traceparent,
    )  # fmt: skip


def _report(folded: Folded) -> Mapping[tuple[str, str], int]:
    for error in folded.errors:
        log.critical("internal error in the rules, record quarantined", extra={"reason": logs.describe(error)})
    outcomes = Counter((decided.fact.outcome, _reason(decided)) for decided in folded.facts)
    told = {reason or outcome: count for (outcome, reason), count in outcomes.items()}
    log.info("batch", extra={"records": len(folded.facts), "outcomes": told})
    return outcomes


def _reason(decided: Decided) -> str:
    data = decided.fact.data
    if data.kind == "quarantined":
        return str(data.problem)
    return str(data.reason) if data.kind == "refused" else ""
