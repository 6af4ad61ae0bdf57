"""Readiness is progress, not a ping: a consumer that lags and stands still is not ready."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from services.runtime import database
from services.runtime.process import closing
from services.runtime.settings import Settings

STALL_SECONDS = 10.0
"""How long nothing may move while something waits."""


@dataclass
class ConsumerProgress:
    """Judges one aiokafka consumer by its own figures, whenever it is asked."""

    last_total: int = -1
    waiting_since: float | None = None

    def missing(self, consumer: Any, busy_since: float | None) -> list[str]:
        """What stands still, in short phrases; empty when all is well."""
        now = time.monotonic()
        if consumer is None or not _assigned(consumer):
            return ["partitions are not assigned yet"]
        if busy_since is not None and now - busy_since > STALL_SECONDS:
            return ["a batch has been waiting for the database"]
        if not consumer.assignment():
            return []  # more workers than topics: this one waits for its turn
        total, polled, lag = 0, 0, 0
        for partition in consumer.assignment():
            state = _state(consumer, partition)
            if state is None or not state.has_valid_position:
                return ["positions are not known yet"]
            total += state.position
            polled = max(polled, state.timestamp or 0)
            if not state.paused:  # what we leave alone on purpose does not stand still
                lag += max(0, (state.highwater or 0) - state.position)
        # A fetch is answered several times a second even when there is nothing to read.
        if time.time() * 1000 - polled > STALL_SECONDS * 1000:
            return ["Kafka does not answer"]
        if lag == 0 or total != self.last_total:
            self.last_total, self.waiting_since = total, now if lag else None
        elif self.waiting_since is not None and now - self.waiting_since > STALL_SECONDS:
            return ["records wait and none is taken"]
        return []


@dataclass
class Watermark:
    """How far a consumer has read, in the broker's time."""

    began: float = field(default_factory=time.time)
    latest: dict[str, float] = field(default_factory=dict)

    def saw(self, records: Sequence[Any]) -> None:
        """These records were taken."""
        for one in records:
            self.latest[one.topic] = one.timestamp / 1000

    def age(self, consumer: Any) -> float:
        """Seconds between now and the least broker time up to which every partition was read; 0 at their ends."""
        behind = [self.latest.get(topic, self.began) for topic, lag in lags(consumer).items() if lag]
        return max(0.0, time.time() - min(behind)) if behind else 0.0


def lags(consumer: Any) -> dict[str, int]:
    """How many records wait, by topic, as the client knows it from its last fetch: nothing is asked for this."""
    found: dict[str, int] = {}
    if consumer is None or not _assigned(consumer):
        return found
    for partition in consumer.assignment():
        state = _state(consumer, partition)
        if state is not None and state.has_valid_position:
            waiting = max(0, (state.highwater or 0) - state.position)
            found[partition.topic] = found.get(partition.topic, 0) + waiting
    return found


def _state(consumer: Any, partition: Any) -> Any:
    return consumer._subscription.subscription.assignment.state_value(partition)


def _assigned(consumer: Any) -> bool:
    subscription = consumer._subscription.subscription
    return subscription is not None and subscription.assignment is not None


@dataclass
class DatabasePulse:
    """Asks the database something simple every second. Readiness looks at the last answer and never waits itself:
    a statement to a frozen server cannot even be cancelled.
    """

    pool: asyncpg.Pool
    answered_at: float = field(default_factory=time.monotonic)

    async def run(self) -> None:
        """Ask for ever; a failure is no more than a missing answer."""
        while True:
            try:
                await self.pool.fetchval("select 1")
                self.answered_at = time.monotonic()
            except database.AWAY:
                pass
            await asyncio.sleep(1)

    def missing(self) -> list[str]:
        """Whether the last answer is too old."""
        silent = time.monotonic() - self.answered_at > STALL_SECONDS / 2
        return ["PostgreSQL does not answer"] if silent else []


@asynccontextmanager
async def database_pulse(settings: Settings, name: str) -> AsyncIterator[DatabasePulse]:
    """The pulse of a service on a connection that nobody else uses: long questions of many readers say nothing of
    whether the server answers."""
    pool = await database.pool(settings, size=1, application=f"{name} pulse")
    async with closing(pool):
        yield DatabasePulse(pool)
