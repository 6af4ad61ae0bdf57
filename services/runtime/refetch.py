"""Records read again by their coordinates, without a group: what could not be used when it came."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.codec import Record
from services.runtime import kafka

READ_WITHIN = 10.0
"""Seconds for one record to be read again."""

Place = tuple[str, int, int]
"""Topic, partition, offset."""

Fetch = Callable[[Sequence[Place]], Awaitable[Mapping[Place, Record]]]
"""Reads records again. Those that Kafka no longer has are missing from the answer."""


@asynccontextmanager
async def fetching(options: Mapping[str, Any]) -> AsyncIterator[Fetch]:
    """Reads with a client of these options, as ``kafka.client_options`` gives them."""
    consumer = kafka.reader(options)
    try:
        await consumer.start()
        yield lambda places: _fetch(consumer, places)
    finally:
        await consumer.stop()


async def _fetch(consumer: AIOKafkaConsumer, places: Sequence[Place]) -> Mapping[Place, Record]:
    found: dict[Place, Record] = {}
    for topic, partition in dict.fromkeys((topic, partition) for topic, partition, _ in places):
        where = TopicPartition(topic, partition)
        consumer.assign([where])
        first = (await consumer.beginning_offsets([where]))[where]
        end = (await consumer.end_offsets([where]))[where]
        for place in places:
            if place[:2] == (topic, partition) and first <= place[2] < end:
                consumer.seek(where, place[2])
                async with asyncio.timeout(READ_WITHIN):
                    raw = await consumer.getone(where)
                found[place] = kafka.record(raw)
    return found
