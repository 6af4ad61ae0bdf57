"""confluent-kafka (librdkafka) as an institution's client: nothing of our SDK and no aiokafka."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from tests.support.hostile import Sent


@dataclass(frozen=True)
class Answer:
    """A fact as a stranger reads it: headers and JSON."""

    headers: dict[str, str]
    data: dict[str, Any]

    @property
    def code(self) -> tuple[str, str | None]:
        """The outcome and its reason code."""
        kind = self.data["kind"]
        outcome = kind if kind in ("refused", "duplicate", "conflict", "quarantined") else "applied"
        return outcome, self.data.get("problem") or self.data.get("reason")


def send(settings: dict[str, Any], topic: str, records: Sequence[Sent]) -> list[Message]:
    """Send in order and wait for the acknowledgements; the messages carry partition and offset."""
    done: list[Message] = []
    failed: list[KafkaError] = []

    def reported(error: KafkaError | None, message: Message) -> None:
        if error is None:
            done.append(message)
        else:
            failed.append(error)

    producer = Producer(settings)
    for one in records:
        producer.produce(topic, key=one.key, value=one.value, headers=list(one.headers), on_delivery=reported)
    assert producer.flush(60) == 0
    assert not failed, failed
    return sorted(done, key=lambda message: message.offset() or 0)


def answers(settings: dict[str, Any], topic: str, enough: Callable[[list[Answer]], bool]) -> list[Answer]:
    """Facts of an ``out`` topic from its beginning until ``enough`` says so. Raises AssertionError after a minute."""
    consumer = Consumer(
        {**settings, "group.id": settings["sasl.username"], "enable.auto.commit": False, "log_level": 0}
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[Answer] = []
    deadline = time.monotonic() + 60
    try:
        while not enough(found):
            assert time.monotonic() < deadline, f"{len(found)} facts, but not what was waited for"
            message = consumer.poll(0.2)
            if message is None:
                continue
            assert message.error() is None, message.error()
            headers = texts(message)
            if headers["ce_type"].startswith("co.ruta.fact."):
                found.append(Answer(headers, json.loads(message.value() or b"")))
    finally:
        consumer.close()
    return found


def answers_to_ids(settings: dict[str, Any], topic: str, ids: Sequence[object]) -> list[Answer]:
    """The answers to the declarations with these ids, in their order."""

    def ours(found: list[Answer]) -> dict[str, Answer]:
        return {cause: answer for answer in found if (cause := answer.headers.get("ce_causationid", ""))}

    wanted = [str(one) for one in ids]
    found = ours(answers(settings, topic, lambda seen: ours(seen).keys() >= set(wanted)))
    return [found[one] for one in wanted]


def answers_to(settings: dict[str, Any], topic: str, sent_to: str, offsets: Sequence[int]) -> list[Answer]:
    """The answer to each record at these offsets of an ``in`` topic, in their order."""

    def ours(found: list[Answer]) -> dict[int, Answer]:
        return {
            answer.data["cause"]["offset"]: answer
            for answer in found
            if answer.data["cause"]["topic"] == sent_to and answer.data["cause"]["offset"] in offsets
        }

    found = ours(answers(settings, topic, lambda seen: len(ours(seen)) == len(offsets)))
    return [found[offset] for offset in offsets]


def texts(message: Message) -> dict[str, str]:
    """The headers of a record that Ruta wrote."""
    headers: Any = message.headers() or []  # a list of pairs, whatever the annotations say
    return {name: value.decode() for name, value in headers}
