"""Every Kafka client of the services is made here, so that no default of a library decides what is lost.

Measured reasons for the settings: raw bytes and a parser of our own (a null header made records vanish),
``no_reply`` (a sender's ``reply_to`` header made us write to the topic it named), manual acknowledgement,
``earliest``, static membership (back in a second instead of ten), a poll that ends with the first record (the
framework's own makes a tail of 600 ms), no automatic topics.
"""

import asyncio
import ssl
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, ConsumerRecord
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.helpers import create_ssl_context
from aiokafka.partitioner import murmur2
from aiokafka.producer.message_accumulator import BatchBuilder
from confluent_kafka import ConsumerGroupState, TopicCollection
from confluent_kafka.admin import AdminClient
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaMessage
from faststream.security import SASLScram512

from contracts import topics
from contracts.codec import Record
from services.runtime import failpoints, records
from services.runtime.settings import Settings, read_secret

records.install()

METADATA_MAX_AGE_MS = 3_000
"""How soon a topic of a new institution is seen."""

POLL_MS = 500
"""How long a poll without records waits; it ends with the first one."""

MAX_RECORDS = 2_000
"""The largest batch: a backlog is taken in pieces of this size."""

FETCH_BYTES = topics.INBOUND_RECORD_BYTES + 64 * 1024
"""More than any topic's record limit: a record beyond the fetch limit would be skipped without a word."""

ASSIGNORS = (RoundRobinPartitionAssignor,)
"""How a group divides its topics: evenly, in the order of its members' names, which static membership keeps over
restarts; so the same members always have the same topics. One only: with two, aiokafka 0.14 sends two joins, and the
second one starts the next rebalance (measured: 76 generations in 14 seconds)."""

Batch = tuple[ConsumerRecord, ...]


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster's id and the ids of its topics: a topic made anew under an old name is another topic."""

    id: str
    topic_ids: Mapping[str, str]


def _tls(settings: Settings) -> ssl.SSLContext | None:
    return create_ssl_context(cafile=str(settings.kafka_ca_file)) if settings.kafka_ca_file else None


def client_options(settings: Settings) -> dict[str, Any]:
    """How any aiokafka client of this service reaches the cluster."""
    return {
        "bootstrap_servers": settings.kafka_bootstrap.split(","),
        "client_id": settings.kafka_user,
        "security_protocol": "SASL_SSL" if settings.kafka_ca_file else "SASL_PLAINTEXT",
        "ssl_context": _tls(settings),
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": settings.kafka_user,
        "sasl_plain_password": read_secret(settings.kafka_password_file),
    }


class Admin:
    """Asks the cluster what there is. The connection is kept: logging in costs more than the answers."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: AdminClient | None = None

    async def cluster(self) -> Cluster:
        """The cluster's id and the ids of all ``ruta.`` topics that this user may describe."""
        return await asyncio.to_thread(self._cluster)

    async def read_by_others(self, group: str, instance: str) -> frozenset[str] | None:
        """The topics that the group's other members have; None while the group divides them anew."""
        return await asyncio.to_thread(self._read_by_others, group, member(group, instance))

    def _cluster(self) -> Cluster:
        admin = self._connected()
        listed = admin.list_topics(timeout=10)
        names = sorted(name for name in listed.topics if name.startswith(topics.PREFIX))
        described = admin.describe_topics(TopicCollection(names), request_timeout=10)
        return Cluster(str(listed.cluster_id), {name: str(f.result().topic_id) for name, f in described.items()})

    def _read_by_others(self, group: str, this: str) -> frozenset[str] | None:
        described = self._connected().describe_consumer_groups([group], request_timeout=10)[group].result()
        if described.state is not ConsumerGroupState.STABLE:
            return None
        others = [one for one in described.members if one.group_instance_id != this]
        return frozenset(place.topic for one in others for place in one.assignment.topic_partitions)

    def _connected(self) -> AdminClient:
        if self._client is None:
            self._client = AdminClient(_admin_options(self._settings))
        return self._client


def _admin_options(settings: Settings) -> dict[str, Any]:
    return {
        "bootstrap.servers": settings.kafka_bootstrap,
        "client.id": settings.kafka_user,
        "security.protocol": "SASL_SSL" if settings.kafka_ca_file else "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": settings.kafka_user,
        "sasl.password": read_secret(settings.kafka_password_file),
        **({"ssl.ca.location": str(settings.kafka_ca_file)} if settings.kafka_ca_file else {}),
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 500,
        "log_level": 0,
        "error_cb": lambda error: None,  # the requests raise; without this the library prints
    }


def member(group: str, instance: str) -> str:
    """The name that a process keeps in its consumer group over restarts (static membership)."""
    return f"{group}-{instance}"


def record(raw: ConsumerRecord) -> Record:
    """A consumed record as a value of ours."""
    return Record(raw.topic, raw.partition, raw.offset, raw.timestamp, raw.key, raw.headers, raw.value)


def reader(options: Mapping[str, Any], **fetching: Any) -> AIOKafkaConsumer:
    """A consumer without a group: its user says where it reads, and nothing moves it from there.

    ``none``: a position that Kafka does not have is an error here, never a silent jump.
    """
    return AIOKafkaConsumer(**options, auto_offset_reset="none", max_partition_fetch_bytes=FETCH_BYTES, **fetching)


def producer(settings: Settings) -> AIOKafkaProducer:
    """An idempotent producer: order per partition survives its own retries. Nothing lingers: latency counts."""
    return AIOKafkaProducer(
        **client_options(settings),
        enable_idempotence=True,
        acks="all",
        linger_ms=0,
        max_batch_size=topics.RECORD_BYTES // 2,
        max_request_size=topics.INBOUND_RECORD_BYTES,
        request_timeout_ms=15_000,
    )


class Message(NamedTuple):
    """A record to send."""

    topic: str
    key: bytes
    headers: list[tuple[str, bytes]]
    value: bytes


async def send(producer: AIOKafkaProducer, messages: Iterable[Message]) -> None:
    """Send messages, each partition's in their order; returns when all are acknowledged.

    The batches are put together here: less than half the time of one ``producer.send`` per message.
    """
    divided: dict[tuple[str, int], list[Message]] = defaultdict(list)
    partitions: dict[str, int] = {}
    for message in messages:
        if message.topic not in partitions:
            partitions[message.topic] = len(await producer.partitions_for(message.topic))
        divided[message.topic, partition(message.key, partitions[message.topic])].append(message)
    await asyncio.gather(*(_send_to(producer, *place, part) for place, part in divided.items()))


@lru_cache(maxsize=16_384)
def partition(key: bytes, partitions: int) -> int:
    """Where every Kafka client puts a key (murmur2): a referral's records are in one partition, whoever sends them."""
    return 0 if partitions == 1 else int(murmur2(key) & 0x7FFFFFFF) % partitions


async def _send_to(producer: AIOKafkaProducer, topic: str, partition: int, messages: Sequence[Message]) -> None:
    acknowledged = []
    batch = producer.create_batch()
    for message in messages:
        # A batch takes its first message however long it is, so a new one never refuses.
        if not _add(batch, message):
            acknowledged.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            _add(batch, message)
    acknowledged.append(await producer.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*acknowledged)
    failpoints.hit("relay.midway")


def _add(batch: BatchBuilder, message: Message) -> bool:
    added = batch.append(timestamp=None, key=message.key, value=message.value, headers=message.headers)
    return added is not None


def broker(settings: Settings) -> KafkaBroker:
    """The FastStream broker of a service; it only consumes."""
    return KafkaBroker(
        settings.kafka_bootstrap.split(","),
        client_id=settings.kafka_user,
        security=SASLScram512(
            username=settings.kafka_user,
            password=read_secret(settings.kafka_password_file),
            ssl_context=_tls(settings),
            use_ssl=settings.kafka_ca_file is not None,
        ),
        metadata_max_age_ms=METADATA_MAX_AGE_MS,
        allow_auto_create_topics=False,
        consumer_only=True,
        apply_types=False,
        ack_policy=AckPolicy.MANUAL,
        parser=_parse,
        decoder=_decode,
        graceful_timeout=4.0,
        logger=None,
    )


def subscribe(
    to: KafkaBroker,
    handler: Callable[[Batch], Awaitable[None]],
    *,
    group: str,
    listener: ConsumerRebalanceListener,
    names: Sequence[str] = (),
    pattern: str | None = None,
    instance: str,
) -> Any:
    """Subscribe a batch handler: the only place in the services where a subscriber is made.

    ``handler`` gets the raw records of whatever is waiting, of several partitions, each in order. It must
    not raise: the framework would swallow that and the next acknowledgement would pass over the batch.
    """
    subscriber: Any = to.subscriber(
        *names,
        pattern=pattern,
        batch=True,
        max_records=MAX_RECORDS,
        group_id=group,
        group_instance_id=member(group, instance),
        partition_assignment_strategy=ASSIGNORS,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.MANUAL,
        no_reply=True,
        listener=listener,
        fetch_max_wait_ms=100,
        max_partition_fetch_bytes=FETCH_BYTES,
        session_timeout_ms=10_000,
        heartbeat_interval_ms=1_000,
    )
    subscriber(handler)

    async def whatever_waits(consumer: AIOKafkaConsumer) -> Batch:
        found = await consumer.getmany(timeout_ms=POLL_MS, max_records=MAX_RECORDS)
        return tuple(chain.from_iterable(found.values()))

    # FastStream sleeps after a poll without records, as long as the poll waited: what comes meanwhile lies there.
    subscriber.get_msg = whatever_waits
    return subscriber


def pause(consumer: AIOKafkaConsumer, topic: str, seconds: float) -> None:
    """Leave a topic alone for so long: its records wait in Kafka, the others' are taken."""
    paused = {one for one in consumer.assignment() if one.topic == topic}
    consumer.pause(*paused)
    # What is taken away meanwhile begins without a pause wherever it is then.
    asyncio.get_running_loop().call_later(seconds, lambda: consumer.resume(*(paused & consumer.assignment())))


async def _parse(batch: Batch) -> KafkaMessage:
    # No header is looked at here: reading them is the codec's work and cannot fail.
    return KafkaMessage(raw_message=batch, body=b"", consumer=None)  # type: ignore[arg-type]


async def _decode(message: KafkaMessage) -> Any:
    return message.raw_message
