"""What stands in Kafka: every record of the topics that count, by its coordinates."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts import codec, topics
from contracts.facts import Fact, decode
from deploy.provision import Target
from services.runtime import kafka

_STALLED_AFTER = 15.0  # seconds without a record although the end is not reached


@dataclass(frozen=True, slots=True)
class Seen:
    """A record's place and what the checks need of it: its digest (inbound) or its fact (facts topic)."""

    topic: str
    partition: int
    offset: int
    digest: bytes
    ce_id: str
    fact: Fact | None = None


def login(target: Target) -> dict[str, Any]:
    """The operator's Kafka login; it may read every topic."""
    return {
        "bootstrap_servers": target.kafka_bootstrap,
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": topics.OPERATOR,
        "sasl_plain_password": target.state.secret(f"kafka/{topics.OPERATOR}"),
    }


def counted(target: Target) -> list[str]:
    """The topics whose records have leaves: all inbound ones, facts and alerts."""
    names = [topic.name for topic in topics.provisioned(target.directory)]
    return [name for name in names if topics.owner(name) or name in (topics.FACTS, topics.ALERTS)]


async def ends(consumer: AIOKafkaConsumer, names: Iterable[str]) -> dict[TopicPartition, int]:
    """The next offset of every partition of these topics."""
    await consumer._client.force_metadata_update()
    partitions = [
        TopicPartition(name, partition) for name in names for partition in consumer.partitions_for_topic(name) or ()
    ]
    found: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
    return found


async def read(target: Target) -> list[Seen]:
    """Every record from each topic's beginning to its end now, in the order of each partition."""
    names = counted(target)
    consumer = AIOKafkaConsumer(
        **login(target), auto_offset_reset="earliest", max_partition_fetch_bytes=kafka.FETCH_BYTES
    )
    await consumer.start()
    try:
        consumer._client.set_topics(names)
        last = await ends(consumer, names)
        open_ones = {place for place, end in last.items() if end}
        consumer.assign(list(open_ones))
        seen: list[Seen] = []
        while open_ones:
            batch = await asyncio.wait_for(_some(consumer), _STALLED_AFTER)
            for place, records in batch.items():
                seen += [_seen(record) for record in records if record.offset < last[place]]
                if records[-1].offset + 1 >= last[place]:
                    open_ones.discard(place)
        return seen
    finally:
        await consumer.stop()


async def _some(consumer: AIOKafkaConsumer) -> dict[TopicPartition, list[Any]]:
    while not (batch := await consumer.getmany(timeout_ms=500)):
        pass
    found: dict[TopicPartition, list[Any]] = batch
    return found


def _seen(raw: Any) -> Seen:
    record = kafka.record(raw)
    fact = decode(record.headers, record.value) if record.topic == topics.FACTS else None
    ce_id = next((value for name, value in record.headers if name == "ce_id" and value), b"")
    return Seen(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        digest=codec.digest(record),
        ce_id=ce_id.decode("utf-8", "replace"),
        fact=fact if isinstance(fact, Fact) else None,
    )
