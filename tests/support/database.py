"""Connections to the embedded PostgreSQL for tests, as any of its roles."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg

import services
from deploy.embedded.stack import Stack
from services.runtime import migrations

APPEND_FACT = (
    "insert into fact (fact_id, kind, outcome, owner, digest, parties, received_at, cluster, topic_id, partition,"
    " record_offset, ordinal, answer, value) values (gen_random_uuid(), 'quarantined', 'quarantined', 'imebu',"
    " sha256(''), '{}', now(), 'c', 't', 0, 0, 0, true, '{}') returning position"
)
"""A fact by itself, for what looks at the table and not at the rules."""


async def connect(stack: Stack, role: str, schema: str | None = None) -> asyncpg.Connection:
    """A connection as ``role`` with ``schema`` (its own unless given) in view; ``ruta_admin`` is the superuser."""
    return await asyncpg.connect(
        host=stack.addresses.database_host,
        port=stack.addresses.database_port,
        database=stack.addresses.database_name,
        user=role,
        password=stack.state.secret(f"database/{role}"),
        server_settings={"search_path": schema or role.removesuffix("_app")},
    )


@asynccontextmanager
async def own_schema(stack: Stack, service: str) -> AsyncIterator[str]:
    """A fresh copy of a service's schema under a name of its own, dropped at the end."""
    name = f"{service}_{uuid4().hex}"
    admin = await connect(stack, "ruta_admin")
    try:
        await admin.execute(f"create schema {name} authorization {service}_owner")
        await admin.execute(f"grant usage on schema {name} to {service}_app")
        folder = Path(services.__file__).parent / service / "migrations"
        await migrations.apply(admin, schema=name, folder=folder, role=f"{service}_owner")
        yield name
        await admin.execute(f"drop schema {name} cascade")
    finally:
        await admin.close()
