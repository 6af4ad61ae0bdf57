"""The plain system of ``tests/benchmarks/naive`` on a stack of its own, driven like Ruta."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from deploy import provision
from deploy.embedded.stack import SERVICES, Stack
from deploy.embedded.state import CHECKOUT
from deploy.embedded.supervisor import Command
from deploy.postgres_node import ADMINISTRATOR

DATABASE = "naive"
_FOLDER = CHECKOUT / "tests" / "benchmarks" / "naive"


class NaiveProgress:
    """The plain system's tables."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection

    async def decided(self) -> int:
        return await self._last("fact")

    async def told(self) -> int:
        return await self._last("told")

    async def receipts(self) -> int:
        return await self._last("receipt")

    async def logged(self) -> int:
        return await self._last("leaf")

    async def _last(self, table: str) -> int:
        return int(await self.connection.fetchval(f"select coalesce(max(number), 0) from {table}"))  # noqa: S608 - ours


@asynccontextmanager
async def system(stack: Stack) -> AsyncIterator[NaiveProgress]:
    """The three plain services on a stack without Ruta's: they read and write the same topics with the same rights."""
    first = await provision.administrator(stack.target)
    try:
        await first.execute(f"create database {DATABASE}")
    finally:
        await first.close()
    connection = await provision.administrator(stack.target, DATABASE)
    try:
        await connection.execute((_FOLDER / "schema.sql").read_text("utf-8"))
        for name in SERVICES:
            stack.supervisor.start(_command(stack, name))
        yield NaiveProgress(connection)
    finally:
        await connection.close(timeout=5)
        await stack.stop(*(f"naive-{name}" for name in SERVICES))


def _command(stack: Stack, name: str) -> Command:
    environment = stack.environment(name) | {
        "RUTA_DATABASE_NAME": DATABASE,
        "RUTA_DATABASE_USER": ADMINISTRATOR,
        "RUTA_DATABASE_PASSWORD_FILE": str(stack.state.secret_file(f"database/{ADMINISTRATOR}")),
    }

    async def started() -> bool:
        return True

    return Command(
        name=f"naive-{name}",
        arguments=(sys.executable, "-m", f"tests.benchmarks.naive.{name}"),
        environment=environment,
        directory=CHECKOUT,
        probe=started,
    )
