"""Connections to PostgreSQL, always with the settings that the measurements asked for."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import asyncpg

from services.runtime.settings import Settings, read_secret

BY_INDEX = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "max_parallel_workers_per_gather": "0",
    "plan_cache_mode": "force_generic_plan",
}
"""Every statement that works on a batch finds its rows by an index. Until a table is first analysed, and again for
large batches, the planner would rather read all of it, which grows slower with every day of service. With that choice
gone one plan fits every batch, and planning it once saves a small batch a third of the server's time."""

LAZILY = {"synchronous_commit": "off"}
"""For what may be lost with the last half second of a server that dies, because it is done again."""

AGAIN = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.UniqueViolationError)
"""Another worker was faster: the same batch, run again, finds what that worker left."""

UNSTORABLE = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError)
"""The database refuses something in the batch itself; halving finds the record."""

AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""Whatever a question to the database raises while it is not there, TimeoutError (an OSError) included."""

NOT_UP = (ConnectionError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError)
"""Nobody listens there, or somebody who is not ready."""

UP_WITHIN = 10.0
TRIED_EVERY = 0.05
"""Seconds."""

Opened = TypeVar("Opened")


async def connect(
    settings: Settings,
    *,
    user: str | None = None,
    password_file: str | None = None,
    application: str = "",
    more: Mapping[str, str] = MappingProxyType({}),
) -> asyncpg.Connection:
    """One connection for work in batches. ``user`` and ``password_file`` replace the service's own login, ``more`` are
    settings of the server's."""
    options = _options(settings, application, {**BY_INDEX, **more}) | _login(settings, user, password_file)
    return await _once_it_answers(lambda: asyncpg.connect(**options))


async def pool(settings: Settings, *, size: int = 4, application: str = "", schema: str | None = None) -> asyncpg.Pool:
    """A pool for readers: HTTP handlers and the like. ``schema`` is in view in place of the service's own."""
    options = _options(settings, application, {"search_path": schema} if schema else {}) | _login(settings, None, None)
    return await _once_it_answers(lambda: asyncpg.create_pool(**options, min_size=1, max_size=size))


async def _once_it_answers(connect: Callable[[], Awaitable[Opened]]) -> Opened:
    """A server that is about to come up takes connections in a moment, this process would need longer to start anew."""
    deadline = time.monotonic() + UP_WITHIN
    while True:
        try:
            return await connect()
        except NOT_UP:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(TRIED_EVERY)


def _login(settings: Settings, user: str | None, password_file: str | None) -> dict[str, object]:
    return {
        "user": user or settings.database_user,
        "password": read_secret(Path(password_file) if password_file else settings.database_password_file),
    }


def _options(settings: Settings, application: str, more: Mapping[str, str]) -> dict[str, object]:
    context = None
    if settings.database_ca_file is not None:
        context = ssl.create_default_context(cafile=settings.database_ca_file)
    return {
        "host": settings.database_host,
        "port": settings.database_port,
        "database": settings.database_name,
        "ssl": context or False,
        "timeout": 10,
        "command_timeout": 60,
        "server_settings": {
            "application_name": application or settings.database_user,
            # A generic plan for `= any($1)` got stuck at a sequential scan on fresh tables.
            "plan_cache_mode": "force_custom_plan",
            "jit": "off",
            # A frozen process must not hold its locks against the others; Kafka gives its topics away as soon.
            "idle_in_transaction_session_timeout": "10s",
            "timezone": "UTC",
            **more,
        },
    }
