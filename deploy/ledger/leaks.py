"""Where personal data may never be: a canary that stood in sealed parts only is looked for everywhere else."""

from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import asyncpg


def files(folders: Iterable[Path], canary: str) -> Iterable[str]:
    """Logs and mails that hold the canary."""
    for folder in folders:
        for file in folder.rglob("*"):
            if file.is_file() and canary.encode() in file.read_bytes():
                yield f"{file.parent.name}/{file.name} holds personal data"


async def tables(connection: asyncpg.Connection, canary: str) -> AsyncIterator[str]:
    """Tables of any schema in which a row holds the canary, as text or as bytes."""
    names = await connection.fetch(
        "select format('%I.%I', schemaname, tablename) as name from pg_tables "
        "where schemaname not in ('pg_catalog', 'information_schema')"
    )
    for row in names:
        for form in (canary, canary.encode().hex()):
            found = await connection.fetchval(
                f"select count(*) from {row['name']} as r where position($1 in r::text) > 0",  # noqa: S608 - catalogue
                form,
            )
            if found:
                yield f"table {row['name']} holds personal data in {found} rows"
