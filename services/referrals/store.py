"""The transaction of a batch: ensure, lock, look up, fold, write. The order is what makes it safe.

The senders of requests are locked first, then the rows that may be opened are ensured, then roots are locked in order,
then the rest of their chains (whoever changes a chain holds its root). Measured with eight workers: no deadlock and no
lost update in such an order, lost updates with a blind upsert.
"""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import asyncpg

from contracts.codec import Declaration, Located
from contracts.declarations import Requested
from contracts.directory import Institution
from contracts.values import Service, State
from services.referrals import rows
from services.referrals.answers import Claim, Decided
from services.referrals.entries import Entry, read, unstorable
from services.referrals.fold import Folded, Person, fold
from services.referrals.former import Former
from services.referrals.referral import Referral
from services.runtime import failpoints, logs, sql
from services.runtime.intake import Halted

log = logging.getLogger("ruta.referrals")
_SQL = sql.load(Path(__file__).parent / "sql" / "intake.sql")
_PARKED = sql.load(Path(__file__).parent / "sql" / "parked.sql")


@dataclass(frozen=True, slots=True)
class Found:
    """What the database holds for a batch; the rows of ``locked`` are held to the end of the transaction."""

    locked: Sequence[asyncpg.Record]
    referrals: Mapping[UUID, Referral]
    claims: Mapping[tuple[str, UUID], Claim]
    formers: Mapping[Person, Sequence[Former]]
    parked: Mapping[UUID, Collection[str]]


async def apply(
    connection: asyncpg.Connection,
    batch: Sequence[Located],
    refused_by_storage: bool,
    members: Mapping[str, Institution],
    bearable: int,
    *,
    notify: bool = True,
) -> tuple[Folded, Counter[tuple[str, str]]]:
    """Take a batch inside the caller's transaction: states, facts and sealed parts, or nothing at all.

    Returns what it did, and how often each outcome was given, with its reason code where it has one.
    ``notify`` wakes the relay of another process; one in this process is told without the database. Raises Halted when
    more than ``bearable`` declarations would wait for a mend of our own rules.
    """
    entries = [read(located, members) for located in batch]
    if refused_by_storage:
        entries = [unstorable(entry) for entry in entries]
    failpoints.hit("intake.decoded")
    found = await look_up(connection, entries)
    failpoints.hit("intake.claimed")
    folded = fold(entries, found.referrals, found.claims, members, found.formers, found.parked)
    failpoints.hit("intake.folded")
    if folded.errors:
        await _bear(connection, folded.errors, bearable)
    await write(connection, folded, found, notify=notify)
    return folded, Counter((one.fact.outcome, _reason(one)) for one in folded.facts if one.answer)


async def look_up(connection: asyncpg.Connection, entries: Sequence[Entry]) -> Found:
    """Lock what these records may change, and read what they are decided on."""
    declared = [entry for entry in entries if isinstance(entry.content, Declaration)]
    opening = {opened for entry in declared if (opened := entry.opens)}
    asked = {
        (entry.owner, entry.content.details.person)
        for entry in declared
        if isinstance(entry.content, Declaration) and isinstance(entry.content.details, Requested)
    }
    if opening:
        await connection.execute(_SQL["ensure"], list(opening), [sender for sender, _ in asked])
    locked = await _lock(connection, declared, opening)
    failpoints.hit("intake.locked")
    referrals = {row["referral"]: rows.restore(row) for row in locked if row["version"]}
    claims, parked = await _answered(connection, declared, referrals)
    return Found(locked, referrals, claims, await _formers(connection, asked), parked)


async def write(connection: asyncpg.Connection, folded: Folded, found: Found, *, notify: bool = True) -> None:
    """Store what was decided; ``notify`` as for ``apply``."""
    opened = [r for r in folded.referrals.values() if r.id not in found.referrals]
    changed = [r for r in folded.referrals.values() if r.id in found.referrals]
    ensured = [row["referral"] for row in found.locked if not row["version"]]
    await connection.execute(
        _SQL["write"],
        *sql.columns([(*rows.changing(r), *rows.lasting(r)) for r in opened], 25),
        *sql.columns(map(rows.changing, changed), 11),
        *sql.columns(map(_row, folded.facts), 19),
        *sql.columns([(s.fact_id, s.recipient, s.jwe) for s in folded.sealed], 3),
        [one for one in ensured if one not in folded.referrals],
    )
    if folded.waiting:
        waiting = [(w.decided.fact.id, w.root, w.decided.entry.owner, w.failed) for w in folded.waiting]
        parked = await connection.execute(_PARKED["park"], *sql.columns(waiting, 4))
        if parked != f"INSERT 0 {len(waiting)}":
            raise asyncpg.SerializationError("what these would have waited for was released")
    if notify:
        await connection.execute(_SQL["notify"])
    failpoints.hit("intake.written")


async def _bear(connection: asyncpg.Connection, errors: Sequence[Exception], bearable: int) -> None:
    if len(errors) + await connection.fetchval(_PARKED["failures"]) > bearable:
        log.critical("too many internal errors", extra={"records": len(errors), "reason": logs.describe(errors[0])})
        raise Halted(
            f"our own rules fail on more than {bearable} declarations: mend and start again, "
            "or release what is mended (ruta quarantine release)"
        )


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


async def _formers(connection: asyncpg.Connection, asked: Collection[Person]) -> dict[Person, list[Former]]:
    """What the senders of the batch's requests have already asked for the same persons."""
    found: dict[Person, list[Former]] = {}
    if asked:
        for row in await connection.fetch(_SQL["formers"], *sql.columns(asked, 2)):
            former = Former(
                row["referral"], row["recipient"], Service(row["service"]), State(row["state"]), row["opened_at"]
            )
            found.setdefault((row["sender"], row["person"]), []).append(former)
    return found


async def _answered(
    connection: asyncpg.Connection, declared: Sequence[Entry], referrals: Mapping[UUID, Referral]
) -> tuple[dict[tuple[str, UUID], Claim], dict[UUID, set[str]]]:
    """Which of these declarations were answered before, and in which of their chains others wait, by owners."""
    claims: dict[tuple[str, UUID], Claim] = {}
    parked: dict[UUID, set[str]] = {}
    heads = [entry.content.envelope for entry in declared if entry.content.envelope]
    if heads:
        owners = {entry.owner for entry in declared}
        named = {head.referral for head in heads}
        roots = {referrals[one].root if one in referrals else one for one in named}
        for row in await connection.fetch(_SQL["answered"], [head.id for head in heads], list(owners), list(roots)):
            if row["outcome"] == "parked":
                parked.setdefault(row["id"], set()).add(row["owner"])
            else:
                claims[row["owner"], row["id"]] = Claim(row["fact_id"], row["digest"], row["outcome"])
    return claims, parked


def _row(decided: Decided) -> tuple[object, ...]:
    fact, cause, head = decided.fact, decided.fact.data.cause, decided.entry.content.envelope
    return (
        fact.id, fact.data.kind, fact.outcome, decided.ordinal, decided.answer, fact.referral,
        getattr(fact.data, "version", None), fact.need, cause.owner, cause.event, decided.entry.digest,
        " ".join(decided.parties), fact.time, cause.cluster, cause.topic_id, cause.partition, cause.offset,
        decided.value, head and head.traceparent,
    )  # fmt: skip


def report(folded: Folded, counted: Counter[tuple[str, str]]) -> None:
    """Log what ``apply`` did, once it is committed: until then somebody waits."""
    for error in folded.errors:
        log.critical("internal error in the rules, record quarantined", extra={"reason": logs.describe(error)})
    told = {reason or outcome: count for (outcome, reason), count in counted.items()}
    log.info("batch", extra={"records": counted.total(), "outcomes": told})


def _reason(decided: Decided) -> str:
    data = decided.fact.data
    if data.kind == "quarantined":
        return str(data.problem)
    return str(data.reason) if data.kind == "refused" else ""
