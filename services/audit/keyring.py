"""Data keys in their own schema, through their own login: made before the leaf that needs them, destroyed to erase.

Nothing is cached: a key that was destroyed must not seal another record.
"""

import os
from collections.abc import Collection, Iterable
from pathlib import Path
from uuid import uuid4

import asyncpg

from services.audit import seal
from services.audit.seal import Key
from services.audit.sequence import Scope
from services.runtime import sql

_SQL = sql.load(Path(__file__).parent / "sql" / "keys.sql")


class StillReadable(RuntimeError):
    """Keys are destroyed, but old versions of their rows are still on disk: some session has had a snapshot since
    before, such as ``./ruta audit verify`` or a dump. Wait for its end, and destroy the same again."""

    def __init__(self, versions: int) -> None:
        super().__init__(f"{versions} old row versions of keys are not removed: an older snapshot is still in use")


async def keys(connection: asyncpg.Connection, scopes: Collection[Scope]) -> dict[Scope, Key]:
    """The keys of these scopes; what is missing is made, and durable when this returns."""
    found = await _current(connection, scopes)
    if missing := scopes - found.keys():
        made = [(uuid4(), owner, scope, os.urandom(seal.KEY_BYTES)) for owner, scope in sorted(missing)]
        found |= _ready(await connection.fetch(_SQL["make"], *sql.columns(made, 4)))
        if taken := missing - found.keys():  # somebody else made them at the same moment
            found |= await _current(connection, taken)
    return found


async def _current(connection: asyncpg.Connection, scopes: Collection[Scope]) -> dict[Scope, Key]:
    rows = await connection.fetch(
        _SQL["current"], list({scope for _, scope in scopes}), list({owner for owner, _ in scopes})
    )
    wanted = set(scopes)
    return _ready(row for row in rows if (row["owner"], row["scope"]) in wanted)


def _ready(rows: Iterable[asyncpg.Record]) -> dict[Scope, Key]:
    return {(row["owner"], row["scope"]): seal.key(str(row["kid"]), row["secret"]) for row in rows}


async def by_id(connection: asyncpg.Connection, ids: Iterable[str]) -> dict[str, Key | None]:
    """Keys by id: None for a destroyed one; an id that is absent was never made, or its row was removed."""
    rows = await connection.fetch(_SQL["by_id"], list(ids))
    return {(kid := str(row["kid"])): None if row["secret"] is None else seal.key(kid, row["secret"]) for row in rows}


async def destroy(connection: asyncpg.Connection, scope: str) -> int:
    """Destroy every key of a referral (or of a month's records that name none); returns how many there were.

    The table is vacuumed at once, because a row version that is only dead can still be read from the disk. Raises
    StillReadable while some session may still see it; destroy it again then: that vacuums again.
    """
    status = await connection.execute(_SQL["destroy"], scope)
    # What this session has counted comes first, or it would be added to what the vacuum counts.
    await connection.execute("select pg_stat_force_next_flush()")
    await connection.execute("vacuum data_key")
    if left := await connection.fetchval(_SQL["dead"]):
        raise StillReadable(left)
    return int(status.split()[-1])
