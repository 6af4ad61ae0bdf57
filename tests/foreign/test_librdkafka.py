"""librdkafka (through confluent-kafka) with printed credentials: what it may do is applied, what it may not fails."""

import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition, libversion
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from contracts import topics
from contracts.topics import OPERATOR
from deploy.embedded.stack import Stack
from tests.foreign.credentials import librdkafka
from tests.foreign.rdkafka import answers_to, answers_to_ids, send
from tests.support import builders as make
from tests.support import hostile
from tests.support.engine import reaches_into_servers

IN, OUT = topics.inbound(make.SENDER), topics.outbound(make.SENDER)
CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
"""Names and the numbers in the attributes of a record batch."""

Credentials = Callable[[str, str], str]


@pytest.fixture
def login(credentials: Credentials) -> dict[str, Any]:
    return librdkafka(credentials(make.SENDER, "env"))


def test_it_is_a_version_that_can_log_in() -> None:
    print(f"librdkafka {libversion()[0]}")
    assert libversion()[1] >= 0x020601FF


@pytest.mark.parametrize(
    "way",
    [
        {"enable.idempotence": True},
        {"enable.idempotence": False, "acks": "1"},
        {"enable.idempotence": False, "acks": "0"},
        *({"partitioner": name} for name in ("consistent_random", "murmur2_random", "random", "fnv1a")),
    ],
    ids=lambda way: " ".join(f"{name}={value}" for name, value in way.items()),
)
def test_a_declaration_is_applied_however_it_is_produced(login: dict[str, Any], way: dict[str, Any]) -> None:
    declared = [hostile.request() for _ in range(3)]
    sent = send({**login, **way}, IN, [hostile.sent(one) for one in declared])
    assert {message.partition() for message in sent} == {0}
    facts = answers_to_ids(login, OUT, [one.envelope.id for one in declared])
    assert [fact.code for fact in facts] == [("applied", None)] * 3
    assert [fact.headers["ce_subject"] for fact in facts] == [str(one.envelope.referral) for one in declared]


@reaches_into_servers
@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_arrives_applied_and_is_stored_uncompressed(
    running: Stack, login: dict[str, Any], codec: str
) -> None:
    way = {"compression.type": codec, "linger.ms": 300, "enable.idempotence": True}
    sent = send({**login, **way}, IN, [hostile.sent(hostile.request()) for _ in range(20)])
    offsets = [message.offset() or 0 for message in sent]
    assert {fact.code for fact in answers_to(login, OUT, IN, offsets)} == {("applied", None)}
    stored = codecs_of(running.state.kafka / "data" / f"{IN}-0")
    assert {stored[offset] for offset in offsets} == {0}
    # The same producer on a topic that keeps what comes: it does compress.
    control = f"control-{uuid4().hex}"
    operator = login | {"sasl.username": OPERATOR, "sasl.password": running.state.secret(f"kafka/{OPERATOR}")}
    client = AdminClient(operator)
    client.create_topics([NewTopic(control, 1, 1)])[control].result(30)
    send({**operator, **way}, control, [hostile.sent(hostile.request()) for _ in range(20)])
    assert CODECS[codec] in codecs_of(running.state.kafka / "data" / f"{control}-0").values()


def codecs_of(folder: Path) -> dict[int, int]:
    """Offset to codec number, from the record batches in a partition's segments (Kafka's message format 2)."""
    return {
        offset: codec
        for segment in sorted(folder.glob("*.log"))
        for first, last, codec in _batches(segment.read_bytes())
        for offset in range(first, last + 1)
    }


def _batches(content: bytes) -> Iterator[tuple[int, int, int]]:
    place = 0
    while place + 61 <= len(content):
        first, length, _, magic, _, attributes, last = struct.unpack_from(">qiibihi", content, place)
        assert magic == 2
        yield first, first + last, attributes & 7
        place += 12 + length


def test_every_bad_record_gets_its_answer(login: dict[str, Any]) -> None:
    """The hostile corpus from another client: null, repeated and non-UTF-8 headers as librdkafka writes them."""
    cases = list(hostile.cases())
    assert any(value is None for case in cases for _, value in case.sent.headers)
    way = {"message.max.bytes": 2_000_000, "enable.idempotence": True}
    offsets = [message.offset() or 0 for message in send({**login, **way}, IN, [case.sent for case in cases])]
    facts = answers_to(login, OUT, IN, offsets)
    got = {case.name: fact.code for case, fact in zip(cases, facts, strict=True)}
    assert got == {case.name: (case.outcome, case.reason) for case in cases}


def test_a_transaction_is_refused(login: dict[str, Any]) -> None:
    producer = Producer({**login, "transactional.id": make.SENDER})
    with pytest.raises(KafkaException) as refused:
        producer.init_transactions(20)
    error = refused.value.args[0]
    assert isinstance(error, KafkaError)
    assert error.name() == "TRANSACTIONAL_ID_AUTHORIZATION_FAILED"


def test_another_institutions_topic_cannot_be_written(login: dict[str, Any]) -> None:
    errors: list[KafkaError] = []
    producer = Producer({**login, "message.timeout.ms": 60_000})
    producer.produce(
        topics.inbound(make.RECIPIENT), b"{}", on_delivery=lambda error, _: errors.append(error or KafkaError(0))
    )
    producer.flush(90)
    assert [error.name() for error in errors] == ["TOPIC_AUTHORIZATION_FAILED"]


def test_another_institutions_topic_and_group_cannot_be_read(login: dict[str, Any]) -> None:
    own = {**login, "group.id": make.SENDER}
    assert read_error(own, topics.outbound(make.RECIPIENT)) == "TOPIC_AUTHORIZATION_FAILED"
    for group in (make.RECIPIENT, f"{make.SENDER}-x"):
        assert read_error({**login, "group.id": group}, OUT) == "GROUP_AUTHORIZATION_FAILED"


@pytest.mark.parametrize("group", [make.SENDER, f"{make.SENDER}.{uuid4().hex}"], ids=["own", "dotted"])
def test_its_own_groups_keep_its_place(login: dict[str, Any], group: str) -> None:
    (sent,) = send(login, IN, [hostile.sent(hostile.request())])
    answers_to(login, OUT, IN, [sent.offset() or 0])
    assert read_error({**login, "group.id": group, "auto.offset.reset": "earliest"}, OUT) is None


def test_a_wrong_password_is_refused(login: dict[str, Any]) -> None:
    errors: list[KafkaError] = []
    producer = Producer({**login, "sasl.password": "wrong", "error_cb": errors.append, "log_level": 0})
    deadline = time.monotonic() + 60
    while "_AUTHENTICATION" not in [error.name() for error in errors]:
        assert time.monotonic() < deadline, errors
        producer.poll(0.2)


def read_error(settings: dict[str, Any], topic: str) -> str | None:
    """The error of the first poll as a member of the group, None for a record; commits and checks what it read."""
    consumer = Consumer({**settings, "enable.auto.commit": False, "log_level": 0})
    consumer.subscribe([topic])
    try:
        message = consumer.poll(30)
        assert message is not None, "neither a record nor an error"
        if (error := message.error()) is not None:
            return str(error.name())
        consumer.commit(message=message, asynchronous=False)
        (kept,) = consumer.committed([TopicPartition(topic, 0)], 10)
        assert kept.offset == (message.offset() or 0) + 1
        return None
    finally:
        consumer.close()
