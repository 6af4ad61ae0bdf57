"""Forward-only migrations: numbered ``.sql`` files of the service that owns the schema, applied once each.

Every file's SHA-256 is kept: a changed history is refused, because nobody could say any more what ran.
"""

import hashlib
from pathlib import Path

import asyncpg

_LOCK = 0x52555441_4D49
"""Advisory lock key: two starts at once apply each migration once."""


class HistoryChanged(RuntimeError):
    """A migration that was already applied has another content now; restore the file, add a new one instead."""


async def apply(connection: asyncpg.Connection, *, schema: str, folder: Path, role: str) -> list[str]:
    """Apply what is missing, as the owner ``role``; returns the names applied. One transaction for all of it."""
    files = sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute(f'set local role "{role}"; set local search_path to "{schema}"')
        await connection.execute(
            "create table if not exists migration "
            "(name text primary key, sha256 text not null, applied_at timestamptz not null default now())"
        )
        done = {r["name"]: r["sha256"] for r in await connection.fetch("select name, sha256 from migration")}
        applied = []
        for file in files:
            text = file.read_text("utf-8")
            sha256 = hashlib.sha256(text.encode()).hexdigest()
            if file.name not in done:
                await connection.execute(text)
                await connection.execute("insert into migration values ($1, $2)", file.name, sha256)
                applied.append(file.name)
            elif done[file.name] != sha256:
                raise HistoryChanged(f"{schema}/{file.name}")
    return applied
