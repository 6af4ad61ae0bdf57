"""Which partitions are read, and from where. Every hole in their offsets becomes a gap that the log records."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError, TopicAuthorizationFailedError

from services.audit import reading
from services.audit.reading import HOLE, LOST, Arrival, Gap
from services.audit.sequence import Stream
from services.runtime import kafka
from services.runtime.kafka import Cluster

log = logging.getLogger("ruta.audit")

LISTED_EVERY = 2.0
"""Seconds between two looks at which topics there are, and whether one was made anew under an old name."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The partitions to read now, each with its unique name."""

    cluster: str
    partitions: Mapping[TopicPartition, Stream]


class Streams:
    """The logged topics of a cluster behind one consumer with manual assignment."""

    def __init__(self, consumer: AIOKafkaConsumer, topic_ids: Callable[[], Coroutine[Any, Any, Cluster]]) -> None:
        self.consumer = consumer
        self.lost: list[str] = []
        """Partitions that end before our position: Kafka has lost what the log holds. Somebody must look."""
        self._refused: set[str] = set()
        """Topics we may not read, for instance because their rights are still being made; tried again at each look."""
        self._refused_before: set[str] = set()
        """Those of the look before: nobody can tell that such a topic is read again until a look has passed."""
        self._topic_ids = topic_ids
        self._wanted = Wanted("", {})
        self._seen: Wanted | None = None
        self._next: dict[TopicPartition, int] = {}
        self._sought_again: dict[TopicPartition, int] = {}

    @contextlib.asynccontextmanager
    async def listing(self) -> AsyncIterator[None]:
        """Keep looking for topics while the block runs."""
        self._seen = await self._list()
        looking = asyncio.ensure_future(self._keep_listing())
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.wait([looking])

    async def _keep_listing(self) -> None:
        while True:
            await asyncio.sleep(LISTED_EVERY)
            try:
                self._refused_before, self._refused = self._refused, set()
                self._seen = await self._list()
            except Exception as error:  # what there is goes on being read; readiness watches the rest
                log.warning("topics not listed", extra={"reason": type(error).__name__})

    async def _list(self) -> Wanted:
        cluster = await self._topic_ids()
        ids = {name: id for name, id in cluster.topic_ids.items() if self._wants(name)}  # noqa: A001
        await self.consumer._client.set_topics(list(ids))
        found = {}
        for name, topic_id in ids.items():
            for partition in self.consumer.partitions_for_topic(name) or ():
                found[TopicPartition(name, partition)] = (cluster.id, topic_id, partition)
        return Wanted(cluster.id, found)

    def _wants(self, topic: str) -> bool:
        return reading.logged(topic) and topic not in self._refused

    def missing(self) -> list[str]:
        """What is not being read although it should be, in short phrases."""
        return [*self.lost, *(f"{topic} may not be read" for topic in sorted(self._refused | self._refused_before))]

    def changed(self) -> Wanted | None:
        """What is to be read, when it is not what is being read."""
        seen, self._seen = self._seen, None
        return seen if seen is not None and seen != self._wanted else None

    async def assign(self, wanted: Wanted, stored: Mapping[Stream, int]) -> list[Gap]:
        """Read these partitions from the stored positions; returns the gaps that this already shows."""
        partitions = list(wanted.partitions)
        first = await self.consumer.beginning_offsets(partitions)
        end = await self.consumer.end_offsets(partitions)
        gaps, self.lost, self._next = [], [], {}
        for partition, stream in wanted.partitions.items():
            position = stored.get(stream, 0)
            if position > end[partition]:
                log.critical("Kafka lost records that have leaves", extra=_at(partition, position))
                self.lost.append(f"{partition.topic}-{partition.partition} ends before its last leaf")
                continue
            if first[partition] > position:
                gaps.append(_gap(stream, partition, position, first[partition], LOST))
                position = first[partition]
            self._next[partition] = position
        self.consumer.assign(list(self._next))
        for partition, position in self._next.items():
            self.consumer.seek(partition, position)
        self._wanted = wanted
        return gaps

    async def take(self, seconds: float, most: int) -> list[Arrival | Gap]:
        """What is waiting, at most ``most`` records, each partition in order; empty after ``seconds`` without any."""
        if not self._next:
            await asyncio.sleep(min(seconds, LISTED_EVERY))
            return []
        try:
            batch = await self.consumer.getmany(timeout_ms=int(seconds * 1000), max_records=most)
        except OffsetOutOfRangeError:
            # Dropped by retention before we came, or made anew: look at everything again.
            log.warning("a position is out of range")
            self._wanted, self._seen = Wanted("", {}), await self._list()
            return []
        except TopicAuthorizationFailedError as error:
            self._refused.update(map(str, error.args))
            log.warning("a topic may not be read", extra={"topic": str(error.args[0])})
            self._seen = await self._list()
            return []
        items: list[Arrival | Gap] = []
        for partition, records in batch.items():
            stream = self._wanted.partitions[partition]
            for raw in records:
                expected = self._next[partition]
                if raw.offset < expected:
                    continue
                if raw.offset > expected:
                    if self._seek_again(partition, expected):
                        break
                    items.append(_gap(stream, partition, expected, raw.offset, HOLE))
                items.append(reading.read(kafka.record(raw), stream[0], stream[1]))
                self._next[partition] = raw.offset + 1
        return items

    def _seek_again(self, partition: TopicPartition, expected: int) -> bool:
        """Once, in case the client jumped: what a leaf says stays said."""
        if self._sought_again.get(partition) == expected:
            return False
        self._sought_again[partition] = expected
        self.consumer.seek(partition, expected)
        return True


def _gap(stream: Stream, partition: TopicPartition, first: int, after: int, why: str) -> Gap:
    log.error("offsets without records", extra={**_at(partition, first), "records": after - first, "reason": why})
    return Gap(stream[0], partition.topic, stream[1], partition.partition, first, after - 1, why)


def _at(partition: TopicPartition, offset: int) -> dict[str, Any]:
    return {"topic": partition.topic, "partition": partition.partition, "offset": offset}
