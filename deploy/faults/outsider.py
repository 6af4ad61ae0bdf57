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
from contracts.declarations import Closed
from contracts.directory import SEED, load
from contracts.reasons import NeedResult
from contracts.sdk import Connection, Official, declare
from deploy import commands_topics, provision
from deploy.demo.stories import draw
from deploy.faults.system import OUTSIDER, System, frozen
from deploy.faults.waiting import Broken, eventually
from deploy.provision_kafka import admin_client

TOPIC = topics.inbound(OUTSIDER)
OVERSIZED = (65_537, 2**20, topics.INBOUND_RECORD_BYTES - 4096)
"""Bytes: beyond what a declaration may have, up to what the topic takes."""

GARBAGE = 3_000
HOT = 2_000
_ANSWERED_WITHIN = 120

Wire = tuple[bytes | None, Sequence[tuple[str, bytes]], bytes | None]
"""Key, headers and value."""


async def oversized(system: System) -> None:
    """Records that are too long are answered; one that the topic does not take is refused to its sender's face."""
    wires: list[Wire] = [(b"k", [], b"x" * size) for size in OVERSIZED]
    await _answered(system, await _send(system, wires), "quarantined")
    try:
        await _send(system, [(b"k", [], b"x" * (topics.INBOUND_RECORD_BYTES + 1))])
    except MessageSizeTooLargeError:
        return
    raise Broken("the topic took a record beyond its limit")


async def garbage(system: System) -> None:
    """A flood of records that nobody can read; the others' declarations are answered meanwhile."""
    wires: list[Wire] = [(b"k", [], system.random.randbytes(64)) for _ in range(GARBAGE)]
    sent, _ = await asyncio.gather(_send(system, wires), system.load.progress())
    await _answered(system, sent, "quarantined")


async def hot_referral(system: System) -> None:
    """Thousands of declarations about one referral: one is applied, all others are answered."""
    (asked,) = _requests(system, 1)
    head = asked.envelope
    closing = [
        declare(OUTSIDER, Closed(result=NeedResult.MET), referral=head.referral, need=head.need, by=Official("o-1"))
        for _ in range(HOT)
    ]
    sent = await _send(system, [codec.encode(one) for one in (asked, *closing)])
    system.load.others += 1
    await _answered(system, sent[:1], "applied")
    await _answered(system, sent[1:], "refused")


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
    await _answered(system, await _send(system, [codec.encode(one) for one in _requests(system, 6)]), "applied")
    await _answered(system, await _make_anew(system), "applied")


async def recreated_unseen(system: System) -> None:
    """The same while the referral service is frozen: it never sees that the topic was away for a moment."""
    await _answered(system, await _send(system, [codec.encode(one) for one in _requests(system, 6)]), "applied")
    with frozen(system.stack.pid("referrals")):
        sent = await _make_anew(system)
    await _answered(system, sent, "applied")


async def retention(system: System) -> None:
    """Kafka forgets records that were read: nobody misses them, and the ledger begins behind them."""
    sent = await _send(system, [codec.encode(one) for one in _requests(system, 6)])
    await _answered(system, sent, "applied")
    await _forget(system, sent[4])
    system.load.others = 2  # the ledger counts what is in the topics


async def retention_passed(system: System) -> None:
    """Kafka forgets records that were never read: intake stops and says so, until the operator accepts the loss."""
    await system.stack.stop("referrals")
    sent = await _send(system, [codec.encode(one) for one in _requests(system, 3)])
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
    await _answered(system, sent[2:], "applied")
    system.load.others = 1


async def _forget(system: System, before: int) -> None:
    client = _operator(system)  # kept: without it nothing answers
    (done,) = client.delete_records([TopicPartition(TOPIC, 0, before)]).values()
    await asyncio.to_thread(done.result, 30)


async def _make_anew(system: System) -> list[int]:
    client = _operator(system)
    await asyncio.to_thread(lambda: client.delete_topics([TOPIC])[TOPIC].result(30))
    await provision.provision_topics(system.stack.target)
    system.load.others = 5  # the ledger counts what is in the topics that there are, and these are fewer
    return await _send(system, [codec.encode(one) for one in _requests(system, 5)])


def _requests(system: System, count: int) -> Iterator[Declaration]:
    keys = next(iter(system.load.play.actors.values())).keys
    stories = draw(load(SEED), count, system.random.randrange(2**31), datetime.now(UTC).date())
    for story in stories:
        referral = uuid4()
        made = declare(OUTSIDER, story.request, referral=referral, need=uuid4(), by=Official("o-1"), system="faults")
        yield replace(made, sealed=keys.seal(b"{}", referral, story.recipient))


async def _send(system: System, wires: Sequence[Wire]) -> list[int]:
    """Send in order; returns the offsets. Raises KafkaError."""
    target = system.stack.target
    connection = Connection(target.kafka_bootstrap, OUTSIDER, target.state.secret(f"kafka/{OUTSIDER}"))
    limit = topics.INBOUND_RECORD_BYTES + 2**20  # the broker is to refuse, not the client
    producer = AIOKafkaProducer(**connection.options(), enable_idempotence=True, max_request_size=limit)
    await producer.start()
    try:
        pending = [await producer.send(TOPIC, value, key, headers=list(headers)) for key, headers, value in wires]
        return [metadata.offset for metadata in await asyncio.gather(*pending)]
    finally:
        await producer.stop()


async def _answered(system: System, offsets: Sequence[int], outcome: str) -> None:
    """Every one of these records of the topic that stands now has this outcome. Raises Late, Broken."""
    topic_id = await asyncio.to_thread(_topic_id, _operator(system))

    async def decided() -> list[str]:
        connection = await provision.administrator(system.stack.target)
        try:
            rows = await connection.fetch(
                "select outcome from referrals.fact "
                "where ordinal = 0 and topic_id = $1 and record_offset = any($2::bigint[])",
                topic_id, list(offsets),
            )  # fmt: skip
        finally:
            await connection.close()
        return [row["outcome"] for row in rows] if len(rows) >= len(offsets) else []

    found = await eventually(decided, _ANSWERED_WITHIN, f"an outcome of {len(offsets)} records of {OUTSIDER}")
    if wrong := [one for one in found if one != outcome]:
        raise Broken(f"{len(wrong)} of {len(offsets)} records were not {outcome} but {wrong[0]}")


def _operator(system: System) -> AdminClient:
    target = system.stack.target
    return admin_client(target.kafka_bootstrap, topics.OPERATOR, target.state.secret(f"kafka/{topics.OPERATOR}"))


def _topic_id(client: AdminClient) -> str:
    return str(client.describe_topics(TopicCollection([TOPIC]))[TOPIC].result().topic_id)


def _to_the_beginning(client: AdminClient, group: str) -> None:
    listed = client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
    known = listed[group].result()
    first = [TopicPartition(place.topic, place.partition, 0) for place in known.topic_partitions]
    for future in client.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, first)]).values():
        future.result()
