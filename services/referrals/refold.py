"""Folds all facts again and compares the result with the stored states: they must be equal."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import asyncpg

from contracts import facts
from contracts.applied import Applied
from services.referrals.referral import Referral, evolve
from services.referrals.rows import restore
from services.runtime import sql

_SQL = sql.load(Path(__file__).parent / "sql" / "read.sql")
_PAGE = 5_000


@dataclass(frozen=True, slots=True)
class Difference:
    """A referral whose stored state is not the fold of its facts, and how they differ."""

    referral: UUID
    what: str


@dataclass(frozen=True, slots=True)
class Refolded:
    """How much was folded, and every difference found."""

    facts: int
    referrals: int
    differences: tuple[Difference, ...]


async def refold(connection: asyncpg.Connection) -> Refolded:
    """Compare in one snapshot, so that a running service does not disturb it."""
    states: dict[UUID, Referral] = {}
    differences: list[Difference] = []
    count = 0
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        async for row in _facts(connection):
            count += 1
            problem = _fold(states, row)
            if problem:
                differences.append(Difference(row["referral"], problem))
        stored = {row["referral"]: restore(row) for row in await connection.fetch(_SQL["states"]) if row["version"]}
    for referral in states.keys() | stored.keys():
        if states.get(referral) != stored.get(referral):
            differences.append(Difference(referral, _difference(states.get(referral), stored.get(referral))))  # noqa: PERF401
    return Refolded(count, len(states), tuple(differences))


async def _facts(connection: asyncpg.Connection) -> AsyncIterator[asyncpg.Record]:
    position = 0
    while rows := await connection.fetch(_SQL["applied_facts"], position, _PAGE):
        for row in rows:
            yield row
        position = rows[-1]["position"]


def _fold(states: dict[UUID, Referral], row: asyncpg.Record) -> str | None:
    id = row["referral"]  # noqa: A001
    try:
        data = facts.read(row["value"])
    except ValueError:
        data = None
    if not isinstance(data, Applied):
        return f"fact {row['fact_id']} cannot be read as an applied one"
    try:
        states[id] = evolve(states.get(id), id, row["need"], data)
    except ValueError as error:
        return f"fact {row['fact_id']}: {error}"
    return None


def _difference(folded: Referral | None, stored: Referral | None) -> str:
    if folded is None or stored is None:
        return "has facts but no state" if stored is None else "has a state but no facts"
    names = [name for name in Referral.__slots__ if getattr(folded, name) != getattr(stored, name)]
    return f"differs in {', '.join(names)}"
