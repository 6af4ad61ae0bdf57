"""What PostgreSQL alone could store: the rows that Ruta left of a load, copied again by two writers.

Every row of every table of the three services, into tables with the same columns, indexes and checks (foreign keys,
triggers and the services' own statements left out), already encoded and 1,000 events to a transaction.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import NamedTuple

import asyncpg

from deploy import provision, provision_database
from deploy.provision import Target

WRITERS = 2
EVENTS_PER_TRANSACTION = 1_000
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
class Prepared:
    """The rows of ``events`` records, divided into transactions."""

    events: int
    transactions: Sequence[Sequence[Chunk]]

    @property
    def encoded_bytes(self) -> int:
        """The size of all rows in PostgreSQL's binary form."""
        return sum(len(chunk.rows) for chunks in self.transactions for chunk in chunks)


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


@asynccontextmanager
async def prepared(target: Target, events: int) -> AsyncIterator[Prepared]:
    """What a system at rest holds of ``events`` records, with empty tables to copy it into."""
    connection = await provision.administrator(target)
    try:
        await connection.execute("drop schema if exists ceiling cascade; create schema ceiling")
        schemas = [schema.name for schema in provision_database.SCHEMAS]
        tables = [(row["schema"], row["name"]) for row in await connection.fetch(_TABLES, schemas, _SHELF)]
        for schema, name in tables:
            await connection.execute(f"create table ceiling.{schema}_{name} (like {schema}.{name} including all)")
        parts = max(1, math.ceil(events / EVENTS_PER_TRANSACTION))
        # The log's tables apart from the others, as in Ruta: two transactions for the same events, in turn.
        groups = []
        async with connection.transaction(isolation="repeatable_read"):
            for log in (False, True):
                of_group = [table for table in tables if table[0].startswith("audit") == log]
                chunks = [await _chunks(connection, *table, parts) for table in of_group]
                groups.append([[chunk for chunk in part if chunk is not None] for part in zip(*chunks, strict=True)])
        await connection.execute("checkpoint")
        yield Prepared(events, tuple(one for pair in zip(*groups, strict=True) for one in pair))
    finally:
        await connection.execute("drop schema if exists ceiling cascade")
        await connection.close()


async def copy(target: Target, prepared: Prepared) -> Ceiling:
    """Copy it with two writers, each taking the next transaction."""
    transactions = iter(prepared.transactions)
    rows = 0

    async def write(connection: asyncpg.Connection) -> None:
        nonlocal rows
        for chunks in transactions:
            async with connection.transaction():
                for chunk in chunks:
                    done = await connection.copy_to_table(
                        chunk.table, schema_name="ceiling", source=BytesIO(chunk.rows), format="binary"
                    )
                    rows += int(done.split()[-1])

    writers = [await provision.administrator(target) for _ in range(WRITERS)]
    try:
        began = time.monotonic()
        await asyncio.gather(*map(write, writers))
        return Ceiling(prepared.events, rows, prepared.encoded_bytes, time.monotonic() - began)
    finally:
        for writer in writers:
            await writer.close()


async def _chunks(connection: asyncpg.Connection, schema: str, name: str, parts: int) -> Sequence[Chunk | None]:
    into = f"{schema}_{name}"
    count = await connection.fetchval(f"select count(*) from {schema}.{name}")  # noqa: S608 - names of the catalogue
    size = math.ceil(count / parts)
    found: list[Chunk | None] = []
    for part in range(parts):
        content = BytesIO()
        query = f"select * from {schema}.{name} order by ctid limit {size} offset {part * size}"  # noqa: S608
        copied = await connection.copy_from_query(query, output=content, format="binary")
        found.append(Chunk(into, content.getvalue()) if copied != "COPY 0" else None)
    return found
