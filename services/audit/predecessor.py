"""The log that this one goes on from: one that was refused and closed. Its leaves keep their proofs where they are.

The first leaves of the new log are gaps, one for each partition, up to where the kept leaves of the closed log end.
They hold its last checkpoint, so the new log begins with it, and every record has its leaf in one log or the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import asyncpg

from services.audit import leaf, note
from services.audit.checks import Check, Misfit
from services.audit.note import Verifier
from services.audit.reading import CLOSED, Gap
from services.audit.tree import NotOurs
from services.runtime import sql

_SQL = sql.load(Path(__file__).parent / "sql" / "predecessor.sql")


class Reason(StrEnum):
    """Why a log was closed. Only of one that was changed it is known that its leaves are not what was published."""

    SHORTER = "shorter"
    KEY_LOST = "key-lost"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Predecessor:
    """``checkpoint`` is the last note that left it; ``kept`` leaves are there, in ``schema``. ``reason``: None where it
    was closed before reasons were kept."""

    origin: str
    vkey: str
    checkpoint: str
    kept: int
    schema: str
    reason: Reason | None = None

    @property
    def path(self) -> str:
        """Where its proofs are answered, below the address of the log that goes on from it."""
        return f"/{self.schema.removeprefix('audit_').replace('_', '/')}"

    @property
    def text(self) -> str:
        """What the checkpoint says. Raises note.Unacceptable where the closed log's key did not sign it."""
        return note.read(self.checkpoint, [note.read_vkey(self.vkey)])

    @property
    def published(self) -> int:
        """How many leaves it had when its checkpoint left it. Raises note.Unacceptable."""
        return note.read_checkpoint(self.text).size


async def read(connection: asyncpg.Connection | asyncpg.Pool) -> Predecessor | None:
    """The log before the one in view; None where that is the first."""
    row = await connection.fetchrow(_SQL["predecessor"])
    if row is None:
        return None
    return Predecessor(**{**row, "reason": Reason(row["reason"]) if row["reason"] else None})


async def all_before(pool: asyncpg.Pool) -> Sequence[Predecessor]:
    """Every closed log, the newest first."""
    found = []
    async with pool.acquire() as connection, connection.transaction(readonly=True):
        while (before := await read(connection)) is not None:
            found.append(before)
            await connection.execute(f"set local search_path to {before.schema}")
    return found


def differs(before: Predecessor | None, verifier: Verifier) -> None:
    """Raise NotOurs where a log goes on from the one whose name and key we have: that one was closed."""
    if before is not None and before.origin == verifier.name:
        raise NotOurs(f"{before.origin} is the log that was closed")


async def gaps(connection: asyncpg.Connection, before: Predecessor) -> Sequence[Gap]:
    """What the new log begins with."""
    return [
        Gap(
            row["cluster"], row["topic"], row["topic_id"], row["partition"], 0, row["next_offset"] - 1, CLOSED,
            before.text, before.kept,
        )
        for row in await connection.fetch(_SQL["positions"])
    ]  # fmt: skip


async def check(connection: asyncpg.Connection) -> None:
    """The log in view begins with the checkpoint of the one before, if there is one. Raises Misfit."""
    before = await read(connection)
    try:
        due = [(gap.cluster, gap.topic_id, gap.partition, gap.last, gap.checkpoint, gap.kept)
               for gap in (await gaps(connection, before) if before else ())]  # fmt: skip
    except note.Unacceptable as error:
        raise Misfit(Check.PREDECESSOR, 0, f"the closed log's checkpoint is not acceptable: {error}") from None
    found: list[tuple[object, ...]] = []
    for row in await connection.fetch(_SQL["gaps"]):
        fields = leaf.read(row["leaf"])
        if fields["why"] != CLOSED:
            continue
        if row["index"] != len(found):
            raise Misfit(Check.PREDECESSOR, row["index"], "it names a closed log, and the log did not begin with it")
        found.append((fields["cl"], fields["ti"], fields["p"], fields["to"], fields.get("log"), fields.get("kept")))
    if found and found != due:
        raise Misfit(Check.PREDECESSOR, 0, "the log does not begin with what is kept of the closed one")
    if due and not found and await connection.fetchval("select exists (select from entry)"):
        raise Misfit(Check.PREDECESSOR, 0, "the log does not begin with the checkpoint of the closed one")


async def ends(connection: asyncpg.Connection, size: int) -> Sequence[asyncpg.Record]:
    """Where the first ``size`` leaves of the log in view end, by partition."""
    return list(await connection.fetch(_SQL["ends"], size))


async def store(connection: asyncpg.Connection, before: Predecessor, positions: Sequence[asyncpg.Record]) -> None:
    """Say in the log in view, which has no leaf yet, what it goes on from."""
    names = ("cluster", "topic", "topic_id", "partition", "next_offset")
    columns = [[row[name] for row in positions] for name in names]
    await connection.execute(
        _SQL["close"],
        *(before.origin, before.vkey, before.checkpoint, before.kept, before.schema, before.reason),
        *columns,
    )
