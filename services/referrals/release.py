"""What waited for a mend is decided: each chain's records again from Kafka, in the order in which they came.

Their ``now`` is the broker's, as it would have been; nobody can tell from the outcome that they waited, except by its
time and by the word ``released``. What fails again goes on waiting, and so does all that stands behind it.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID

import asyncpg

from contracts import codec, facts
from contracts.codec import Located
from contracts.directory import Institution
from services.referrals import store
from services.referrals.entries import Entry, read
from services.referrals.fold import Folded, fold
from services.runtime import logs, sql
from services.runtime.refetch import Fetch, Place

log = logging.getLogger("ruta.release")
_SQL = sql.load(Path(__file__).parent / "sql" / "parked.sql")

AT_ONCE = 500
"""Records in one transaction."""


class ReleasedElsewhere(RuntimeError):
    """Another session is releasing: both would decide the same records."""


@dataclass(slots=True)
class Released:
    """How many records got their outcome, and why the others did not: a sentence for each chain that still waits."""

    records: int = 0
    waiting: list[str] = field(default_factory=list)


async def release(
    connection: asyncpg.Connection, fetch: Fetch, members: Mapping[str, Institution], referral: UUID | None = None
) -> Released:
    """Release what waits: all of it, or the chain of one referral. A transaction for each step of each chain.

    ``members`` are those whose topics are provisioned: the relay cannot send a fact to anybody else. Raises
    ReleasedElsewhere.
    """
    if not await connection.fetchval(_SQL["begin"]):
        raise ReleasedElsewhere
    try:
        return await _release(connection, fetch, members, referral)
    finally:
        if not connection.is_closed():
            await connection.execute(_SQL["end"])


async def _release(
    connection: asyncpg.Connection, fetch: Fetch, members: Mapping[str, Institution], referral: UUID | None
) -> Released:
    released = Released()
    for row in await connection.fetch(_SQL["queues"], referral):
        what = f"referral {row['root']}" if row["root"] else "an unreadable record"
        while True:
            # Whatever arrives meanwhile waits as long as anything of its chain does, so it is found by the next look.
            first = await connection.fetch(_SQL["queue"], row["queue"], AT_ONCE)
            if not first:
                break
            done, why = await _step(connection, fetch, members, first)
            released.records += done
            if why:
                released.waiting.append(f"{what}: {why}, {first[0]['waiting'] - done} records wait")
                break
    return released


async def _step(
    connection: asyncpg.Connection,
    fetch: Fetch,
    members: Mapping[str, Institution],
    waiting: Sequence[asyncpg.Record],
) -> tuple[int, str | None]:
    """How many of these, the first of their chain, were decided, and what stopped it."""
    records = await fetch([_place(row) for row in waiting])
    entries: list[Entry] = []
    missing: str | None = None
    for row in waiting:
        record = records.get(_place(row))
        if record is None or codec.digest(record) != row["digest"]:
            missing = f"Kafka no longer has {row['topic']} offset {row['record_offset']}"
            break
        located = Located(record, row["cluster"], row["topic_id"])
        entries.append(replace(read(located, members), first=facts.RELEASED))
    if not entries:
        return 0, missing
    async with connection.transaction():
        done, folded = await _decide(connection, entries, members)
        await connection.execute(_SQL["release"], [row["fact_id"] for row in waiting[:done]])
    for error in folded.errors:
        log.critical("internal error in the rules again", extra={"reason": logs.describe(error)})
    again = f"our own rules fail again ({type(folded.errors[0]).__name__})" if folded.errors else None
    return done, again or missing


async def _decide(
    connection: asyncpg.Connection, entries: Sequence[Entry], members: Mapping[str, Institution]
) -> tuple[int, Folded]:
    found = await store.look_up(connection, entries)

    def decide(some: Iterable[Entry]) -> Folded:
        return fold(list(some), found.referrals, found.claims, members, found.formers)

    whole = decide(entries)
    # The first that waits again failed again; what stands before it is decided.
    done = next((n for n, entry in enumerate(entries) if _waits(entry, whole)), len(entries))
    await store.write(connection, decide(entries[:done]) if done < len(entries) else whole, found)
    return done, whole


def _waits(entry: Entry, folded: Folded) -> bool:
    return any(one.decided.entry is entry for one in folded.waiting)


def _place(row: asyncpg.Record) -> Place:
    return row["topic"], row["partition"], row["record_offset"]
