"""What one institution beside the others can do to the system by its records alone, and by losing its topic."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError
from confluent_kafka import ConsumerGroupTopicPartitions, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient

from contracts import codec, topics
from contracts.codec import Declaration
from contracts.directory import SEED, load
from contracts.sdk import Connection, Official, declare
from deploy import commands_topics, provision
from deploy.database import reader
from deploy.demo.stories import draw
from deploy.faults.system import OUTSIDER, System, frozen
from deploy.faults.waiting import Broken, eventually
from deploy.provision_kafka import admin_client

TOPIC = topics.inbound(OUTSIDER)
OVERSIZED = (65_537, 2**20, topics.INBOUND_RECORD_BYTES - 4096)
"""Bytes: beyond what a declaration may have, up to what the topic takes."""

GARBAGE = 3_000
ANSWERED_WITHIN = 120

Wire = tuple[bytes | None, Sequence[tuple[str, bytes]], bytes | None]
"""Key, headers and value."""


async def oversized(system: System) -> None:
    """Records that are too long are answered; one that the topic does not take is refused to its sender's face."""
    wires: list[Wire] = [(b"k", [], b"x" * size) for size in OVERSIZED]
    await answered(system, await send(system, wires), "quarantined")
    try:
        await send(system, [(b"k", [], b"x" * (topics.INBOUND_RECORD_BYTES + 1))])
    except MessageSizeTooLargeError:
        return
    raise Broken("the topic took a record beyond its limit")


async def garbage(system: System) -> None:
    """A flood of records that nobody can read; the others' declarations are answered meanwhile."""
    wires: list[Wire] = [(b"k", [], system.random.randbytes(64)) for _ in range(GARBAGE)]
    sent, _ = await asyncio.gather(send(system, wires), system.load.progress())
    await answered(system, sent, "quarantined")


async def replayed(system: System) -> None:
    """Kafka's groups are set back to the first record: the services go on where their own tables say."""
    client = _operator(system)
    groups = {"referrals": topics.REFERRALS, "notifications": topics.NOTIFICATIONS}
    for service, group in groups.items():
        await system.stack.stop(service)
        await asyncio.to_thread(_to_the_beginning, client, group)
        await system.stack.start(service)


async def recreated(system: System) -> None:
    """A topic is deleted with all its records and made anew: its first record is another one, and is taken."""
    await answered(system, await send(system, [codec.encode(one) for one in requests(system, 6)]), "applied")
    await answered(system, await _make_anew(system), "applied")


async def recreated_unseen(system: System) -> None:
    """The same while the referral service is frozen: it never sees that the topic was away for a moment."""
    await answered(system, await send(system, [codec.encode(one) for one in requests(system, 6)]), "applied")
    with frozen(system.stack.pid("referrals")):
        sent = await _make_anew(system)
    await answered(system, sent, "applied")


async def retention(system: System) -> None:
    """Kafka forgets records that were read: nobody misses them, and the ledger begins behind them."""
    sent = await send(system, [codec.encode(one) for one in requests(system, 6)])
    await answered(system, sent, "applied")
    await _forget(system, sent[4])
    system.load.others[OUTSIDER] = 2  # the ledger counts what is in the topics


async def retention_passed(system: System) -> None:
    """Kafka forgets records that were never read: intake stops and says so, until the operator accepts the loss."""
    await system.stack.stop("referrals")
    sent = await send(system, [codec.encode(one) for one in requests(system, 3)])
    await _forget(system, sent[2])
    log = system.stack.state.logs / "referrals.log"
    before = log.stat().st_size
    await system.stack.start("referrals")

    async def stops() -> bool:
        with log.open("rb") as file:
            file.seek(before)
            return b"records are missing, intake stops" in file.read()

    await eventually(stops, 60, "intake stopping at a gap")
    if await commands_topics.gap(system.stack.target, TOPIC, accepted=True) != (sent[0], sent[1]):
        raise Broken("the gap is not the one that was made")
    await answered(system, sent[2:], "applied")
    system.load.others[OUTSIDER] = 1


async def _forget(system: System, before: int) -> None:
    client = _operator(system)  # kept: without it nothing answers
    (done,) = client.delete_records([TopicPartition(TOPIC, 0, before)]).values()
    await asyncio.to_thread(done.result, 30)


async def _make_anew(system: System) -> list[int]:
    client = _operator(system)
    await asyncio.to_thread(lambda: client.delete_topics([TOPIC])[TOPIC].result(30))
    await provision.provision_topics(system.stack.target)
    system.load.others[OUTSIDER] = 5  # the ledger counts what is in the topics that there are, and these are fewer
    return await send(system, [codec.encode(one) for one in requests(system, 5)])


def requests(system: System, count: int) -> Iterator[Declaration]:
    keys = next(iter(system.load.play.actors.values())).keys
    stories = draw(load(SEED), count, system.random.randrange(2**31), datetime.now(UTC))
    for story in stories:
        referral = uuid4()
        made = declare(OUTSIDER, story.request, referral=referral, need=uuid4(), by=Official("o-1"), system="faults")
        yield replace(made, sealed=keys.seal(b"{}", referral, story.recipient))


async def send(system: System, wires: Sequence[Wire], by: str = OUTSIDER) -> list[int]:
    """Send in order; returns the offsets. Raises KafkaError."""
    target = system.stack.target
    connection = Connection(target.kafka_bootstrap, by, target.state.secret(f"kafka/{by}"))
    limit = topics.INBOUND_RECORD_BYTES + 2**20  # the broker is to refuse, not the client
    producer = AIOKafkaProducer(**connection.options(), enable_idempotence=True, max_request_size=limit)
    await producer.start()
    try:
        topic = topics.inbound(by)
        pending = [await producer.send(topic, value, key, headers=list(headers)) for key, headers, value in wires]
        return [metadata.offset for metadata in await asyncio.gather(*pending)]
    finally:
        await producer.stop()


async def answered(
    system: System, offsets: Sequence[int], outcome: str, by: str = OUTSIDER, within: float = ANSWERED_WITHIN
) -> None:
    """Every one of these records, which follow each other in the topic that stands now, has this outcome.

    Raises Late, Broken.
    """
    topic_id = await reached(system, offsets[-1], by, within)
    async with reader(system.stack.target, "referrals") as connection:
        rows = await connection.fetch(
            "select outcome, count(*) as facts from fact "
            "where answer and topic_id = $1 and record_offset between $2 and $3 group by outcome",
            topic_id, offsets[0], offsets[-1],
        )  # fmt: skip
    found = {row["outcome"]: row["facts"] for row in rows}
    if found != {outcome: len(offsets)}:
        raise Broken(f"{len(offsets)} records of {by} were not all {outcome}: {found}")


async def reached(system: System, offset: int, by: str, within: float = ANSWERED_WITHIN) -> str:
    """This record of the topic that stands now, and all before it, are decided; returns the topic's id. Raises Late."""
    topic_id = await asyncio.to_thread(_topic_id, _operator(system), topics.inbound(by))

    async def decided() -> bool:
        async with reader(system.stack.target, "referrals") as connection:
            at = await connection.fetchval("select next_offset from intake_position where topic_id = $1", topic_id)
        return bool(at) and at > offset

    await eventually(decided, within, f"record {offset} of {by} being decided")
    return topic_id


def _operator(system: System) -> AdminClient:
    target = system.stack.target
    return admin_client(target.kafka_bootstrap, topics.OPERATOR, target.state.secret(f"kafka/{topics.OPERATOR}"))


def _topic_id(client: AdminClient, topic: str) -> str:
    return str(client.describe_topics(TopicCollection([topic]))[topic].result().topic_id)


def _to_the_beginning(client: AdminClient, group: str) -> None:
    listed = client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
    known = listed[group].result()
    first = [TopicPartition(place.topic, place.partition, 0) for place in known.topic_partitions]
    for future in client.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, first)]).values():
        future.result()
