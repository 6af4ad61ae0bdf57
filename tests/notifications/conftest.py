"""A database of its own beside the shared one: the worker of the shared stack must not send these mails."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from deploy.embedded.stack import Stack
from deploy.embedded.state import CHECKOUT
from deploy.postgres_node import ADMINISTRATOR
from services.notifications.settings import Settings
from services.runtime import migrations
from tests.notifications import mailserver
from tests.notifications.mailserver import MailServer

FOLDERS = {"notifications": "migrations", "pgqueuer": "migrations_pgqueuer"}


@dataclass(frozen=True)
class Database:
    """A fresh database with the two schemas of the service, provisioned as the operator provisions it."""

    settings: Settings
    connect: Callable[[], Awaitable[asyncpg.Connection]]


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    """The least that the service's settings need."""
    secret = tmp_path / "secret"
    secret.write_text("s")
    return {
        "kafka_bootstrap": "127.0.0.1:9092",
        "kafka_user": "u",
        "kafka_password_file": secret,
        "database_host": "127.0.0.1",
        "database_name": "ruta",
        "database_user": "u",
        "database_password_file": secret,
        "http_port": 1,
        "smtp_host": "127.0.0.1",
    }


@pytest.fixture
async def mail() -> AsyncIterator[MailServer]:
    async with mailserver.running() as server:
        yield server


@pytest.fixture
async def database(stack: Stack, mail: MailServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    name = f"notifications_{uuid4().hex[:12]}"
    await _administer(stack, "postgres", f"create database {name}")
    await _prepare(stack, name)
    for variable, value in stack.environment("notifications").items():
        if variable.startswith("RUTA_"):
            monkeypatch.setenv(variable, value)
    settings = Settings(smtp_host="127.0.0.1", smtp_port=mail.port, database_name=name)

    async def connect() -> asyncpg.Connection:
        return await _connect(stack, name, settings.database_user)

    yield Database(settings, connect)
    await _administer(stack, "postgres", f"drop database {name} with (force)")


async def _prepare(stack: Stack, name: str) -> None:
    connection = await _connect(stack, name, ADMINISTRATOR)
    try:
        for schema, folder in FOLDERS.items():
            await connection.execute(f"create schema {schema} authorization notifications_owner")
            await connection.execute(f"grant usage on schema {schema} to notifications_app")
            path = CHECKOUT / "services" / "notifications" / folder
            await migrations.apply(connection, schema=schema, folder=path, role="notifications_owner")
        await connection.execute(f"alter role notifications_app in database {name} set search_path = notifications")
    finally:
        await connection.close()


async def _administer(stack: Stack, database: str, statement: str) -> None:
    connection = await _connect(stack, database, ADMINISTRATOR)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _connect(stack: Stack, database: str, user: str) -> asyncpg.Connection:
    address = stack.addresses
    login: dict[str, Any] = {"user": user, "password": stack.state.secret(f"database/{user}")}
    return await asyncpg.connect(
        host=address.database_host, port=address.database_port, database=database, ssl=False, **login
    )
