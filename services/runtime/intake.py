"""From Kafka into one database transaction per batch: positions move with the work or not at all.

The position of every partition lives in the service's own schema and moves by compare-and-set in the
transaction that does the work. So redelivery is skipped, a replaced process moves nothing, and Kafka's own
commits are only a lag figure.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from contracts.codec import Located, Record
from services.runtime import kafka, sql
from services.runtime.settings import Settings

log = logging.getLogger("ruta.intake")
_SQL = sql.load(Path(__file__).parent / "sql" / "intake.sql")

AGAIN = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.UniqueViolationError)
"""Another worker was faster: the same batch, run again, finds what that worker left."""

UNSTORABLE = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError)
"""The database refuses something in the batch itself; halving finds the record."""

ATTEMPTS = 5


class Replaced(RuntimeError):
    """Another process has moved our positions: this one was replaced and must end."""


class Gap(RuntimeError):
    """Kafka no longer has the records where this service must go on; nothing may be skipped in silence."""


Work = Callable[[asyncpg.Connection, Sequence[Located], bool], Awaitable[None]]
"""What a service does with a batch inside the transaction. The flag is set when the batch is one record that
the database refused to store: quarantine it without storing anything of its content."""


@dataclass
class Intake:
    """Takes batches of one consumer in order. ``connection`` is used by nobody else."""

    settings: Settings
    connection: asyncpg.Connection
    work: Work
    after_commit: Callable[[], None] = lambda: None
    consumer: Any = None
    busy_since: float | None = None
    progressed_at: float = field(default_factory=time.monotonic)
    failure: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    cluster: kafka.Cluster | None = None
    _next: dict[tuple[str, int], int] = field(default_factory=dict)
    # A rebalance runs beside the handler: an assignment waits for the batch under way.
    _using: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self) -> None:
        """Wait until a batch fails for good, then raise its error: the process ends and is started again."""
        await self.failure

    async def handle(self, batch: kafka.Batch) -> None:
        """The subscriber's handler. Never raises: after a failure it stays here and takes nothing more."""
        if not self.failure.done():
            try:
                self.busy_since = time.monotonic()
                await self._take([kafka.record(raw) for raw in batch])
                self.busy_since, self.progressed_at = None, time.monotonic()
                return await self._acknowledge()
            except Exception as error:
                self.failure.set_exception(error)
        await asyncio.Event().wait()
        return None

    async def _acknowledge(self) -> None:
        try:
            await self.consumer.consumer.commit()
        except KafkaError as error:
            # The next commit covers this one; a rebalance may have taken the partition meanwhile.
            log.info("offsets not committed", extra={"reason": type(error).__name__})

    async def _take(self, records: list[Record]) -> None:
        async with self._using:
            if self.cluster is None or any(record.topic not in self.cluster.topic_ids for record in records):
                await self._learn()
            assert self.cluster is not None
            cluster, ids = self.cluster.id, self.cluster.topic_ids
            located = [Located(record, cluster, ids[record.topic]) for record in records]
            fresh = [one for one in located if not self._already_done(one)]
            if fresh:
                await self._transact(fresh)

    async def _learn(self) -> None:
        self.cluster = await kafka.topic_ids(self.settings)
        await self._learn_positions()

    async def _learn_positions(self) -> None:
        assert self.cluster is not None
        rows = await self.connection.fetch(_SQL["positions"], self.cluster.id)
        self._next = {(row["topic_id"], row["partition"]): row["next_offset"] for row in rows}

    def _already_done(self, one: Located) -> bool:
        expected = self._next.get((one.topic_id, one.record.partition))
        return expected is not None and one.record.offset < expected

    async def _transact(self, batch: Sequence[Located], unstorable: bool = False) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with self.connection.transaction():
                    after = await self._advance(batch)
                    await self.work(self.connection, batch, unstorable)
            except AGAIN as error:
                if attempt == ATTEMPTS and len(batch) == 1:
                    raise
                log.info("batch run again", extra={"attempt": attempt, "reason": type(error).__name__})
                if attempt == ATTEMPTS:
                    return await self._halve(batch)
            except UNSTORABLE as error:
                if unstorable:
                    raise
                log.warning("database refused a batch", extra={"records": len(batch), "reason": type(error).__name__})
                return await self._halve(batch)
            else:
                self._next.update(after)
                self.after_commit()
                return None
        return None

    async def _halve(self, batch: Sequence[Located]) -> None:
        if len(batch) == 1:
            return await self._transact(batch, unstorable=True)
        middle = len(batch) // 2
        await self._transact(batch[:middle])
        return await self._transact(batch[middle:])

    async def _advance(self, batch: Sequence[Located]) -> dict[tuple[str, int], int]:
        expected: dict[tuple[str, int], int] = {}
        after: dict[tuple[str, int], int] = {}
        unseen: list[tuple[str, int, str, int]] = []
        for one in batch:
            place, offset = (one.topic_id, one.record.partition), one.record.offset
            if place not in after:
                if place not in self._next:
                    unseen.append((*place, one.record.topic, offset))
                expected[place] = self._next.get(place, offset)
                after[place] = expected[place]
            if offset != after[place]:
                # Positions have no holes: no principal may write transactions and no topic is compacted.
                raise Gap(f"{one.record.topic}-{one.record.partition}: expected {after[place]}, got {offset}")
            after[place] = offset + 1
        cluster = batch[0].cluster
        if unseen:
            await self.connection.execute(_SQL["first_sight"], cluster, *map(list, zip(*unseen, strict=True)))
        moved = await self.connection.execute(
            _SQL["advance"],
            cluster,
            [topic_id for topic_id, _ in after],
            [partition for _, partition in after],
            list(expected.values()),
            list(after.values()),
        )
        if int(moved.split()[-1]) != len(after):
            raise Replaced("stored positions are not the ones this process knows")
        return after

    def listener(self) -> ConsumerRebalanceListener:
        """Seeks every newly assigned partition to its stored position."""
        return _SeekToStored(self)

    async def seek(self, assigned: Sequence[TopicPartition]) -> None:
        """Go on where the database says, whatever Kafka's group remembers."""
        async with self._using:
            await self._learn()
        assert self.cluster is not None
        for partition in assigned:
            topic_id = self.cluster.topic_ids.get(partition.topic)
            stored = self._next.get((topic_id, partition.partition)) if topic_id else None
            if stored is None:
                await self.consumer.consumer.seek_to_beginning(partition)
            else:
                self.consumer.consumer.seek(partition, stored)


class _SeekToStored(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, intake: Intake) -> None:
        self.intake = intake

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Nothing to hand over: positions are in the database."""

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        try:
            await self.intake.seek(assigned)
        except Exception as error:
            if not self.intake.failure.done():
                self.intake.failure.set_exception(error)
