"""What PostgreSQL alone could store: the rows that Ruta left of a load, copied again by two writers.

Every row of every table of the three services, into tables with the same columns, indexes and checks (foreign keys,
triggers and the services' own statements left out), already encoded and 1,000 events to a transaction.
"""

import asyncio
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import NamedTuple

import asyncpg

from deploy import provision
from deploy.provision import Target

WRITERS = 2
EVENTS_PER_TRANSACTION = 1_000
_SCHEMAS = ("referrals", "notifications", "pgqueuer", "audit", "audit_keys")
_SHELF = ("migration", "intake_position", "relay_cursor")
"""Tables of positions: their rows change, they do not grow."""

_TABLES = """
select n.nspname as schema, c.relname as name
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind = 'r' and n.nspname = any($1::text[]) and c.relname <> all($2::text[])
 order by 1, 2"""


class Chunk(NamedTuple):
    """Rows of one table in PostgreSQL's own binary form, and the table of the ceiling that takes them."""

    table: str
    rows: bytes


@dataclass(frozen=True, slots=True)
class Ceiling:
    """Rows and bytes copied, and how long both writers together took."""

    events: int
    rows: int
    encoded_bytes: int
    seconds: float

    @property
    def events_per_s(self) -> float:
        """Events whose rows PostgreSQL stored in a second."""
        return self.events / self.seconds


async def measure(target: Target, events: int) -> Ceiling:
    """Copy what a system at rest holds of ``events`` records."""
    connection = await provision.administrator(target)
    try:
        await connection.execute("drop schema if exists ceiling cascade; create schema ceiling")
        tables = [(row["schema"], row["name"]) for row in await connection.fetch(_TABLES, _SCHEMAS, _SHELF)]
        transactions: list[list[Chunk]] = []
        rows = 0
        parts = max(1, math.ceil(events / EVENTS_PER_TRANSACTION))
        # The log's tables apart from the others, as in Ruta: two transactions for the same events.
        for log in (False, True):
            group = [table for table in tables if table[0].startswith("audit") == log]
            chunked = []
            for schema, name in group:
                rows += await connection.fetchval(f"select count(*) from {schema}.{name}")  # noqa: S608 - catalogue
                chunked.append(await _chunks(connection, schema, name, parts))
            transactions += [[chunk for chunk in part if chunk is not None] for part in zip(*chunked, strict=True)]
        half = len(transactions) // 2
        mixed = iter([one for pair in zip(transactions[:half], transactions[half:], strict=True) for one in pair])
        await connection.execute("checkpoint")
        seconds = await _copy(target, mixed)
        return Ceiling(events, rows, sum(len(c.rows) for part in transactions for c in part), seconds)
    finally:
        await connection.execute("drop schema if exists ceiling cascade")
        await connection.close()


async def _chunks(connection: asyncpg.Connection, schema: str, name: str, parts: int) -> Sequence[Chunk | None]:
    copy = f"{schema}_{name}"
    await connection.execute(f"create table ceiling.{copy} (like {schema}.{name} including all)")
    count = await connection.fetchval(f"select count(*) from {schema}.{name}")  # noqa: S608 - names of the catalogue
    size = math.ceil(count / parts)
    found: list[Chunk | None] = []
    for part in range(parts):
        content = BytesIO()
        query = f"select * from {schema}.{name} order by ctid limit {size} offset {part * size}"  # noqa: S608
        copied = await connection.copy_from_query(query, output=content, format="binary")
        found.append(Chunk(copy, content.getvalue()) if copied != "COPY 0" else None)
    return found


async def _copy(target: Target, transactions: Iterator[Sequence[Chunk]]) -> float:
    async def write(connection: asyncpg.Connection) -> None:
        for chunks in transactions:
            async with connection.transaction():
                for chunk in chunks:
                    await connection.copy_to_table(
                        chunk.table, schema_name="ceiling", source=BytesIO(chunk.rows), format="binary"
                    )

    writers = [await provision.administrator(target) for _ in range(WRITERS)]
    try:
        began = time.monotonic()
        await asyncio.gather(*map(write, writers))
        return time.monotonic() - began
    finally:
        for writer in writers:
            await writer.close()
