"""Logs of their own: an empty database with the audit schemas for every test, in the shared PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.embedded.stack import Stack
from services import audit
from services.audit import note
from services.runtime import migrations
from tests.audit.support import ORIGIN, Log

FOLDER = Path(next(iter(audit.__path__)))
SCHEMAS = (("audit", "migrations"), ("audit_keys", "migrations_keys"))


@pytest.fixture(scope="package")
async def template(stack: Stack) -> str:
    """A database with the two schemas and nothing in them."""
    name = f"audit_{uuid4().hex[:12]}"
    admin = await connect(stack, "postgres", "ruta_admin")
    await admin.execute(f"create database {name}")
    await admin.close()
    made = await connect(stack, name, "ruta_admin")
    for schema, folder in SCHEMAS:
        await made.execute(f"create schema {schema} authorization {schema}_owner")
        await made.execute(f"grant usage on schema {schema} to {schema}_app, ruta_operator")
        await migrations.apply(made, schema=schema, folder=FOLDER / folder, role=f"{schema}_owner")
    await made.close()
    return name


@pytest.fixture
async def log(stack: Stack, template: str) -> AsyncIterator[Log]:
    """An empty log with a signing key and connections of every role that matters."""
    name = f"{template}_{uuid4().hex[:6]}"
    admin = await connect(stack, "postgres", "ruta_admin")
    await admin.execute(f"create database {name} template {template}")
    for schema, _ in SCHEMAS:
        await admin.execute(f"alter role {schema}_app in database {name} set search_path = {schema}")
    async with AsyncExitStack() as closing:

        async def opened(role: str, schema: str = "audit") -> asyncpg.Connection:
            connection = await connect(stack, name, role, schema)
            closing.push_async_callback(connection.close)
            return connection

        yield Log(
            database=name,
            app=await opened("audit_app"),
            keys=await opened("audit_keys_app", "audit_keys"),
            admin=await opened("ruta_admin"),
            signer=note.signer(ORIGIN, Ed25519PrivateKey.generate()),
            connect=opened,
        )
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()


async def connect(stack: Stack, database: str, role: str, schema: str = "public") -> asyncpg.Connection:
    """A connection to one of these databases."""
    return await asyncpg.connect(
        host=stack.addresses.database_host,
        port=stack.addresses.database_port,
        database=database,
        user=role,
        password=stack.state.secret(f"database/{role}"),
        server_settings={"search_path": schema},
    )
