"""From Kafka into one database transaction per batch: positions move with the work or not at all.

So redelivery is skipped, a replaced process moves nothing, and Kafka's own commits are only a lag figure.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError
from confluent_kafka import KafkaException

from contracts.codec import Located, Record
from services.runtime import failpoints, kafka
from services.runtime.database import AGAIN, UNSTORABLE
from services.runtime.positions import Place, Positions, Replaced, by_time, gap
from services.runtime.process import side_by_side

log = logging.getLogger("ruta.intake")

ATTEMPTS = 5

HANDED_OVER_WITHIN = 5.0
"""Seconds that a batch under way may hold up the other members of the group."""

ACKNOWLEDGED_EVERY = 1.0
"""Seconds between two commits of offsets to Kafka."""

HALTED_FOR = 5.0
"""Seconds until a batch that was refused as a whole is tried again."""

LISTED_EVERY = 3.0
"""Seconds between two looks at the topics there are."""


class Halted(RuntimeError):
    """The work does not go on until somebody acts; the text says how. Nothing of the batch is done, it is tried
    again."""


Work = Callable[[asyncpg.Connection, Sequence[Located], bool], Awaitable[None]]
"""What a service does with a batch inside the transaction. The flag is set when the batch is one record that
the database refused to store: quarantine it without storing anything of its content."""


async def _nothing() -> None: ...


@dataclass
class Intake:
    """Takes batches of one consumer in order. ``connection`` is used by nobody else.

    ``wanted`` says which topics the processes of ``group`` read, of those that the cluster has; each is read by one
    of them, and ``instance`` tells them apart.
    """

    admin: kafka.Admin
    connection: asyncpg.Connection
    work: Work
    wanted: Callable[[str], bool]
    group: str
    instance: str
    after_commit: Callable[[], Awaitable[None]] = _nothing
    consumer: Any = None
    cluster: kafka.Cluster | None = None
    busy_since: float | None = None
    halted: str | None = None
    """Why nothing is taken, while somebody has to act."""
    unread: frozenset[str] = frozenset()
    positions: Positions = field(default_factory=Positions)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    _failure: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    # A rebalance runs beside the handler: an assignment waits for the batch under way, and a batch for the
    # assignment to be placed, because the client begins to read before it is.
    _using: asyncio.Lock = field(default_factory=asyncio.Lock)
    _placed: asyncio.Event = field(default_factory=asyncio.Event)
    _sought_again: dict[Place, int] = field(default_factory=dict)
    _handled: dict[TopicPartition, int] = field(default_factory=dict)
    _topic_ids: dict[str, str] = field(default_factory=dict)
    """Of the topics that are read, as they were when their partitions were placed."""

    async def run(self) -> None:
        """Watch the topics until something fails for good, then raise: the process ends and is started again."""
        await side_by_side(self._watch(), self._acknowledge(), asyncio.shield(self._failure))

    async def handle(self, batch: kafka.Batch) -> None:
        """The subscriber's handler. Never raises: after a failure it takes nothing more and waits for the end."""
        if not self._failure.done():
            try:
                await self._placed.wait()
                failpoints.hit("intake.fetched")
                await self._take_when_it_may(by_time([kafka.record(raw) for raw in batch]))
            except Exception as error:
                self.fail(error)
            else:
                self._handled |= {TopicPartition(raw.topic, raw.partition): raw.offset + 1 for raw in batch}
                return
        await self.ended.wait()

    def missing(self) -> list[str]:
        """Why nothing is taken, and topics that nobody reads, as readiness says it."""
        return [*filter(None, [self.halted]), *(f"{topic} is not read yet" for topic in sorted(self.unread))]

    async def learn(self) -> kafka.Cluster:
        """Ask for the topics anew."""
        self.cluster = await self.admin.cluster()
        return self.cluster

    async def _know(self, names: Iterable[str]) -> kafka.Cluster:
        """The cluster with the ids of these topics; one that was made a moment ago may not be described yet."""
        names, cluster = set(names), self.cluster
        for attempt in range(ATTEMPTS):
            if cluster is not None and names <= cluster.topic_ids.keys():
                return cluster
            await asyncio.sleep(0.05 * attempt)
            cluster = await self.learn()
        raise RuntimeError("a topic that is read is not described")

    def fail(self, error: BaseException) -> None:
        """Take nothing more: ``run`` raises this, and the process ends."""
        if not self._failure.done():
            self._failure.set_exception(error)

    async def _watch(self) -> None:
        """A member that comes back within its session gets its old assignment, without topics made meanwhile."""
        before: frozenset[str] = frozenset()
        while True:
            await asyncio.sleep(LISTED_EVERY)
            consumer = self.consumer.consumer
            try:
                cluster = await self.learn()
                others = await self.admin.read_by_others(self.group, self.instance)
                if others is None:
                    continue
                await self._place_those_made_anew(consumer.assignment(), cluster)
            except (KafkaException, KafkaError, IllegalStateError) as error:
                # Kafka is away or divides the topics anew: the next look tells. The database's errors end the process.
                log.info("topics not listed", extra={"reason": type(error).__name__})
                continue
            read = {partition.topic for partition in consumer.assignment()} | others
            now = frozenset(topic for topic in cluster.topic_ids if self.wanted(topic) and topic not in read)
            self.unread = now & before
            if self.unread:
                log.warning("topics without a reader, joining again", extra={"records": len(self.unread)})
                consumer._coordinator.request_rejoin()
            before = now

    async def _place_those_made_anew(self, assigned: Iterable[TopicPartition], cluster: kafka.Cluster) -> None:
        """A topic under an old name is another one: Kafka does not tell who reads it, and offsets begin again."""
        changed = [
            one for one in assigned if self._topic_ids.get(one.topic) not in (None, cluster.topic_ids.get(one.topic))
        ]
        anew = [one for one in changed if one.topic in cluster.topic_ids]
        if anew:
            log.critical("topics were made anew, they are read from their beginning", extra={"records": len(anew)})
            await self.place(anew)

    async def _acknowledge(self) -> None:
        """Tell Kafka what is handled: a figure for who looks at the group's lag, so once in a while is enough."""
        while True:
            await asyncio.sleep(ACKNOWLEDGED_EVERY)
            consumer, handled = self.consumer.consumer, dict(self._handled)
            ours = {partition: offset for partition, offset in handled.items() if partition in consumer.assignment()}
            try:
                if ours:
                    await consumer.commit(ours)
                    failpoints.hit("intake.acknowledged")
                self._handled = {p: offset for p, offset in self._handled.items() if handled.get(p) != offset}
            except (KafkaError, IllegalStateError) as error:
                # Tried again; a rebalance may have taken a partition meanwhile.
                log.info("offsets not committed", extra={"reason": type(error).__name__})

    async def _take_when_it_may(self, records: list[Record]) -> None:
        while not self.ended.is_set():
            self.busy_since = time.monotonic()
            try:
                await self._take(records)
            except Halted as why:
                if self.halted is None:
                    log.critical("intake stands still until somebody acts, /readyz says how")
                self.halted, self.busy_since = str(why), None
                with suppress(TimeoutError):
                    async with asyncio.timeout(HALTED_FOR):
                        await self.ended.wait()
            else:
                self.halted = self.busy_since = None
                return

    async def _take(self, records: list[Record]) -> None:
        async with self._using:
            cluster = await self._know(record.topic for record in records)
            located = [Located(record, cluster.id, cluster.topic_ids[record.topic]) for record in records]
            try:
                await self._take_fresh(located)
            except Replaced:
                # A partition that was handed over may have moved once more before it became ours.
                await self.positions.learn(self.connection, cluster.id)
                await self._take_fresh(located)

    async def _take_fresh(self, located: Sequence[Located]) -> None:
        fresh, holes = self.positions.fresh(located)
        if fresh:
            await self._transact(fresh)
        for where, one in holes.items():
            self._seek_again(where, one)

    def _seek_again(self, where: Place, one: Located) -> None:
        """Once, in case the client jumped; Kafka's log itself has no holes, because nobody may use transactions."""
        expected = self.positions.next[where]
        if self._sought_again.get(where) == expected:
            raise gap(one.record.topic, expected, one.record.offset)
        self._sought_again[where] = expected
        self.consumer.consumer.seek(TopicPartition(one.record.topic, one.record.partition), expected)

    async def _transact(self, batch: Sequence[Located], unstorable: bool = False) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with self.connection.transaction():
                    after = await self.positions.advance(self.connection, batch)
                    await self.work(self.connection, batch, unstorable)
                    failpoints.hit("intake.committing")
            except AGAIN as error:
                log.info("batch run again", extra={"attempt": attempt, "reason": type(error).__name__})
                await asyncio.sleep(0.02 * attempt)
            except UNSTORABLE as error:
                if unstorable:
                    raise
                log.warning("database refused a batch", extra={"records": len(batch), "reason": type(error).__name__})
                return await self._halve(batch)
            else:
                failpoints.hit("intake.committed")
                self.positions.moved(after)
                await self.after_commit()
                return None
        if unstorable:
            raise RuntimeError("the database refuses even to quarantine a record")
        return await self._halve(batch)

    async def _halve(self, batch: Sequence[Located]) -> None:
        if len(batch) == 1:
            log.critical("one record cannot be stored", extra={"topic": batch[0].record.topic,
                                                                "offset": batch[0].record.offset})  # fmt: skip
            return await self._transact(batch, unstorable=True)
        middle = len(batch) // 2
        await self._transact(batch[:middle])
        return await self._transact(batch[middle:])

    def listener(self) -> ConsumerRebalanceListener:
        """Seeks every newly assigned partition to its stored position."""
        return _SeekToStored(self)

    async def place(self, assigned: Iterable[TopicPartition]) -> None:
        """Go on where the database says, whatever Kafka's group remembers."""
        async with self._using:
            self.cluster = None  # what was known a moment ago may be of a topic that was made anew since
            cluster = await self._know(one.topic for one in assigned)
            await self.positions.learn(self.connection, cluster.id)
            ours = {one: (cluster.topic_ids[one.topic], one.partition) for one in assigned}
            first: Mapping[TopicPartition, int] = await self.consumer.consumer.beginning_offsets(list(ours))
            unseen = [one for one, where in ours.items() if where not in self.positions.next]
            if unseen:
                lost = [one.topic for one in unseen if first[one]]
                if lost:
                    log.critical("topics began before they were first read", extra={"records": len(lost)})
                begin = {(one.topic, *ours[one]): first[one] for one in unseen}
                await self.positions.begin(self.connection, cluster.id, begin)
            for one, where in ours.items():
                if self.positions.next[where] < first[one]:
                    raise gap(one.topic, self.positions.next[where], first[one])
                self.consumer.consumer.seek(one, self.positions.next[where])
                self._topic_ids[one.topic] = cluster.topic_ids[one.topic]
            self._placed.set()


class _SeekToStored(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, intake: Intake) -> None:
        self.intake = intake

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Until the next assignment is placed nothing is taken, and what is under way is finished first: whoever gets
        these topics then begins behind it. If that takes too long, the stored positions decide who was first."""
        self.intake._placed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(HANDED_OVER_WITHIN), self.intake._using:
                pass

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        try:
            await self.intake.place(assigned)
        except IllegalStateError:
            log.info("assignment superseded")  # the next one is on its way
        except Exception as error:
            self.intake.fail(error)
