"""From a table to Kafka, in the order of its positions: one active holder, a cursor that moves by compare-and-set.

A crash of this process repeats at most one batch, one of the database what was sent in its last half second.
Identifiers are stable, so readers deduplicate.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg
from aiokafka import AIOKafkaProducer

from services.runtime import failpoints, kafka
from services.runtime.kafka import Message

log = logging.getLogger("ruta.relay")

BATCH = 500
ACKNOWLEDGED_WITHIN = 30.0
"""Seconds. Later than that the outcome is unknown: the process ends and the batch is sent again."""

POLL_SECONDS = 1.0

STALL_SECONDS = 10.0

FENCED_AFTER = ACKNOWLEDGED_WITHIN + STALL_SECONDS
"""Seconds without a move after which a standby ends the holder's session: a holder that lives would have ended itself
by then, so this one is frozen, and its session would keep the lock for ever."""


class Replaced(RuntimeError):
    """The cursor was moved by another relay: this one was replaced and must end."""


@dataclass
class Relay:
    """Sends what the statement ``read`` finds behind the cursor. ``connection`` is used by nobody else.

    ``sql`` holds the statements ``relay_lock`` (session lock, true when held), ``relay_cursor``,
    ``relay_read`` (rows after $1, at most $2, each with ``position``), ``relay_advance`` (from $1 to $2) and
    ``relay_fence`` (ends the session that holds the lock).
    """

    connection: asyncpg.Connection
    producer: AIOKafkaProducer
    sql: Mapping[str, str]
    messages: Callable[[asyncpg.Record], Iterable[Message]]
    channel: str
    written: str
    """The column of ``read`` that says when a row was written."""
    gather: float = 0.0
    """Seconds to wait for more rows while few are there: for what nobody waits for."""
    after_send: Callable[[int], None] = lambda rows: None
    oldest: datetime | None = None
    """When the oldest row that Kafka has not acknowledged was written; None while there is none."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    behind_since: float | None = None
    active: bool = False
    """Whether this is the relay that sends: it needs no notification of what its own process commits."""

    async def run(self) -> None:
        """Relay for ever. A second relay waits here until the first one's session ends."""
        await self.connection.add_listener(self.channel, self._notified)
        while not await self.connection.fetchval(self.sql["relay_lock"]):
            await self._stand_by()
        cursor: int = await self.connection.fetchval(self.sql["relay_cursor"])
        log.info("relaying", extra={"position": cursor})
        self.active = True
        while True:
            self.wake.clear()
            rows = await self.connection.fetch(self.sql["relay_read"], cursor, BATCH)
            if rows:
                self.behind_since, self.oldest = self.behind_since or time.monotonic(), rows[0][self.written]
                failpoints.hit("relay.read")
                await self._send(rows)
                failpoints.hit("relay.sent")
                self.behind_since = time.monotonic()
                cursor = await self._advance(cursor, rows[-1]["position"])
                failpoints.hit("relay.moved")
                self.after_send(len(rows))
                if len(rows) == BATCH:
                    continue
                await asyncio.sleep(self.gather)
            self.behind_since = self.oldest = None
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self.wake.wait()

    async def _stand_by(self) -> None:
        """Watch the holder: a session that is gone but was never closed would keep the lock and move nothing."""
        before: int = await self.connection.fetchval(self.sql["relay_cursor"])
        await asyncio.sleep(POLL_SECONDS)
        moved = before != await self.connection.fetchval(self.sql["relay_cursor"])
        if moved or not await self.connection.fetch(self.sql["relay_read"], before, 1):
            self.behind_since = None
            return
        self.behind_since = self.behind_since or time.monotonic()
        if time.monotonic() - self.behind_since > FENCED_AFTER:
            log.error("the relay's holder is frozen, its session is ended")
            await self.connection.execute(self.sql["relay_fence"])

    def missing(self) -> list[str]:
        """What the relay waits for; a standby beside a relay that moves waits for nothing."""
        if self.behind_since is not None and time.monotonic() - self.behind_since > STALL_SECONDS:
            return ["facts wait and none is acknowledged by Kafka"]
        return []

    async def _send(self, rows: list[asyncpg.Record]) -> None:
        async with asyncio.timeout(ACKNOWLEDGED_WITHIN):
            await kafka.send(self.producer, (message for row in rows for message in self.messages(row)))

    async def _advance(self, cursor: int, position: int) -> int:
        moved = await self.connection.execute(self.sql["relay_advance"], cursor, position)
        if moved != "UPDATE 1":
            raise Replaced("the relay cursor is not where this process left it")
        return position

    def _notified(self, *_: Any) -> None:
        self.wake.set()
