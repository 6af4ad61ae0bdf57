"""Connections of the operator's tools to the embedded database."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import asyncpg

from deploy.provision import Target
from deploy.provision_database import DATABASE, OPERATOR


def reader(target: Target, schema: str, role: str = OPERATOR) -> AbstractAsyncContextManager[asyncpg.Connection]:
    """A read-only connection with one schema in view. Only the keys of the log need another role than ours."""
    return connected(target, schema, role, default_transaction_read_only="on")


@asynccontextmanager
async def connected(target: Target, schema: str, role: str, **settings: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of a role with one schema in view; for work that the services' roles alone may do."""
    connection = await asyncpg.connect(
        host=target.database_host,
        port=target.database_port,
        database=DATABASE,
        user=role,
        password=target.state.secret(f"database/{role}"),
        ssl=target.database_ssl,
        server_settings={
            "application_name": "ruta",
            "search_path": schema,
            **settings,
        },
        timeout=10,
    )
    try:
        yield connection
    finally:
        await connection.close(timeout=5)
