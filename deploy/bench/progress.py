"""How far a system has come, asked of its tables: decided, alerted, logged."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol
from uuid import UUID

import asyncpg

from deploy import provision
from deploy.provision import Target
from services.runtime import sql

SQL = sql.load(Path(__file__).with_name("progress.sql"))


class Progress(Protocol):
    """Counts since the system was made; each is read in well under a millisecond."""

    async def decided(self) -> int:
        """Inbound records that have their durable fact."""
        ...

    async def told(self) -> int:
        """Facts that have their durable alerts."""
        ...

    async def receipts(self) -> int:
        """Receipts of alerts; each becomes a record of its own."""
        ...

    async def logged(self) -> int:
        """Leaves of the log: one for every record, fact and receipt."""
        ...


class RutaProgress:
    """Ruta's own tables."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection

    async def decided(self) -> int:
        return await self._count("decided")

    async def told(self) -> int:
        return await self._count("told")

    async def receipts(self) -> int:
        return await self._count("receipts")

    async def logged(self) -> int:
        return await self._count("logged")

    async def unsent_mails(self) -> int:
        """E-mail alerts that are not sent."""
        return await self._count("mails")

    async def has_leaf(self, institution: str, event: UUID) -> bool:
        """Whether a declaration is in the log."""
        return bool(await self.connection.fetchval(SQL["has_leaf"], institution, event))

    async def outcomes(self) -> dict[str, int]:
        """Facts by outcome."""
        return {row["outcome"]: row["records"] for row in await self.connection.fetch(SQL["outcomes"])}

    async def _count(self, name: str) -> int:
        return int(await self.connection.fetchval(SQL[name]) or 0)


@asynccontextmanager
async def administrator(target: Target) -> AsyncIterator[asyncpg.Connection]:
    """The superuser's connection to a throwaway system."""
    connection = await provision.administrator(target)
    try:
        yield connection
    finally:
        await connection.close(timeout=5)
