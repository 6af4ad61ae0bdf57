"""Connections to the embedded PostgreSQL for tests, as any of its roles."""

import asyncpg

from deploy.embedded.stack import Stack


async def connect(stack: Stack, role: str) -> asyncpg.Connection:
    """A connection as ``role``; ``ruta_admin`` is the superuser."""
    return await asyncpg.connect(
        host=stack.addresses.database_host,
        port=stack.addresses.database_port,
        database=stack.addresses.database_name,
        user=role,
        password=stack.state.secret(f"database/{role}"),
        server_settings={"search_path": role.removesuffix("_app")},
    )
