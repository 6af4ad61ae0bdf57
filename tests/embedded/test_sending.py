"""What a relay sends, as a real broker stores it: each key on the partition that clients choose, in order."""

from collections import defaultdict

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from contracts import topics
from deploy.embedded.stack import Stack
from deploy.ledger.kafka import ends
from services.runtime import kafka
from services.runtime.kafka import Message
from tests.embedded.test_rights import login

pytestmark = pytest.mark.anyio

LARGEST = topics.RECORD_BYTES // 2
"""The largest batch of a producer; a longer message goes alone."""


@given(key=st.binary(max_size=64), partitions=st.integers(1, 64))
def test_a_key_has_the_partition_that_clients_choose(key: bytes, partitions: int) -> None:
    choices = list(range(partitions))
    assert kafka.partition(key, partitions) == DefaultPartitioner()(key, choices, choices)


async def test_many_batches_keep_every_keys_order(own_stack: Stack) -> None:
    keys = [b"key-%d" % number for number in range(7)]
    sizes = {100: LARGEST * 3 // 2, 101: LARGEST - 100, 102: LARGEST - 100}
    messages = [
        Message(topic, keys[number % len(keys)], [("n", b"%d" % number)], bytes(sizes.get(number, 2_000)))
        for number in range(1_500)
        for topic in (topics.FACTS, topics.outbound("alfa"))
    ]
    async with (
        AIOKafkaProducer(
            **login(own_stack, topics.REFERRALS),
            enable_idempotence=True,
            max_batch_size=LARGEST,
            max_request_size=topics.INBOUND_RECORD_BYTES,
        ) as producer,
        AIOKafkaConsumer(**login(own_stack, topics.OPERATOR), enable_auto_commit=False) as consumer,
    ):
        await consumer._client.force_metadata_update()
        before = await ends(consumer, [topics.FACTS, topics.outbound("alfa")])
        await kafka.send(producer, messages)
        after = await ends(consumer, [topics.FACTS, topics.outbound("alfa")])
        consumer.assign(list(before))
        for place, offset in before.items():
            consumer.seek(place, offset)
        arrived: list[ConsumerRecord] = []
        while len(arrived) < len(messages):
            found = await consumer.getmany(timeout_ms=60_000)
            assert found, "fewer records than were sent"
            arrived += [record for records in found.values() for record in records]
    assert sum(after.values()) - sum(before.values()) == len(messages)
    orders, places = defaultdict(list), defaultdict(set)
    for record in arrived:
        orders[record.topic, record.key].append(int(dict(record.headers)["n"]))
        places[record.topic, record.key].add(record.partition)
    for (topic, key), order in orders.items():
        assert order == [n for n in range(1_500) if keys[n % len(keys)] == key]
        assert places[topic, key] == {kafka.partition(key, 6 if topic == topics.FACTS else 1)}


async def test_nothing_to_send_is_nothing(own_stack: Stack) -> None:
    names = [topics.FACTS, topics.outbound("alfa")]
    async with (
        AIOKafkaProducer(**login(own_stack, topics.REFERRALS)) as producer,
        AIOKafkaConsumer(**login(own_stack, topics.OPERATOR), enable_auto_commit=False) as consumer,
    ):
        before = await ends(consumer, names)
        await kafka.send(producer, [])
        assert before
        assert await ends(consumer, names) == before
