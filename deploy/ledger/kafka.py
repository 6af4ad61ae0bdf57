"""What stands in Kafka: every record of the topics that count, by its coordinates."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from confluent_kafka import TopicCollection

from contracts import codec, topics
from contracts.codec import Record
from contracts.facts import SEALED_TYPE, Fact, decode
from contracts.sdk.connection import Connection
from deploy.ledger import leaks
from deploy.provision import Target, operator
from services.runtime import kafka
from services.runtime.kafka import Cluster

_STALLED_AFTER = 15.0  # seconds without a record although the end is not reached


OUTBOUND = f"{topics.PREFIX}out."
"""Begins the topics in which institutions read."""


@dataclass(frozen=True, slots=True)
class SealedPart:
    """A sealed part on its way to its recipient: the fact it names as its cause, and the SHA-256 of its value."""

    fact_id: UUID | None
    sha256: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A record's place and what the checks need of it.

    Its digest, its fact or sealed part (facts and ``out`` topics), and whether it shows the canary where nothing may.
    """

    topic: str
    partition: int
    offset: int
    digest: bytes
    fact: Fact | None = None
    sealed: SealedPart | None = None
    leaks: bool = False


def login(target: Target) -> dict[str, Any]:
    """The operator's Kafka login; it may read every topic."""
    password = target.state.secret(f"kafka/{topics.OPERATOR}")
    return Connection(target.kafka_bootstrap, topics.OPERATOR, password, target.kafka_ca_file).options()


@asynccontextmanager
async def consuming(target: Target, **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of the operator without a group, which has logged in. Raises KafkaError."""
    consumer = AIOKafkaConsumer(**login(target), **options)
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


def counts(name: str) -> bool:
    """Whether the ledger counts this topic's records: inbound ones, facts, alerts, and what is told to institutions."""
    return topics.owner(name) is not None or name in (topics.FACTS, topics.ALERTS) or name.startswith(OUTBOUND)


def cluster(target: Target) -> Cluster:
    """The cluster and the ids of all our topics, also of institutions that left. Blocking. Raises KafkaException."""
    client = operator(target)
    listed = client.list_topics(timeout=10)
    names = sorted(name for name in listed.topics if name.startswith(topics.PREFIX))
    described = client.describe_topics(TopicCollection(names), request_timeout=10)
    return Cluster(str(listed.cluster_id), {name: str(f.result().topic_id) for name, f in described.items()})


async def ends(consumer: AIOKafkaConsumer, names: Iterable[str]) -> dict[TopicPartition, int]:
    """The next offset of every partition of these topics."""
    names = list(names)
    await consumer._client.set_topics(names)
    await consumer._client.force_metadata_update()
    partitions = [
        TopicPartition(name, partition) for name in names for partition in consumer.partitions_for_topic(name) or ()
    ]
    found: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
    return found


async def read(target: Target, last: Mapping[TopicPartition, int], canary: str | None = None) -> list[Seen]:
    """Every record from each partition's beginning to these ends, in the order of each partition."""
    options = {"auto_offset_reset": "earliest", "max_partition_fetch_bytes": kafka.FETCH_BYTES}
    async with consuming(target, **options) as consumer:
        await consumer._client.set_topics({place.topic for place in last})
        begins = await consumer.beginning_offsets(list(last))
        open_ones = {place for place, end in last.items() if end > begins[place]}
        consumer.assign(list(open_ones))
        seen: list[Seen] = []
        while open_ones:
            async with asyncio.timeout(_STALLED_AFTER):
                batch = await _some(consumer)
            for place, records in batch.items():
                seen += [seen_of(kafka.record(raw), canary) for raw in records if raw.offset < last[place]]
                if records[-1].offset + 1 >= last[place]:
                    open_ones.discard(place)
        return seen


async def _some(consumer: AIOKafkaConsumer) -> dict[TopicPartition, list[Any]]:
    while not (batch := await consumer.getmany(timeout_ms=500)):
        pass
    found: dict[TopicPartition, list[Any]] = batch
    return found


def seen_of(record: Record, canary: str | None) -> Seen:
    """What the checks need of a record. Personal data may stand in inbound topics only, where it was sent."""
    fact, sealed = None, None
    if record.topic.startswith(OUTBOUND) and _header(record, "ce_type") == SEALED_TYPE:
        sealed = SealedPart(_uuid(_header(record, "ce_causationid")), hashlib.sha256(record.value or b"").hexdigest())
    elif record.topic.startswith(OUTBOUND) or record.topic == topics.FACTS:
        fact = decode(record.headers, record.value)
    return Seen(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        digest=codec.digest(record),
        fact=fact if isinstance(fact, Fact) else None,
        sealed=sealed,
        leaks=canary is not None and topics.owner(record.topic) is None and leaks.shows(record, canary),
    )


def _header(record: Record, name: str) -> str:
    return next((value or b"" for key, value in record.headers if key == name), b"").decode("utf-8", "replace")


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
