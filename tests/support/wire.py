"""Plain Kafka clients for tests: what any institution could do with its own credentials, good or bad."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from contracts import facts, topics
from contracts.facts import Fact
from deploy.embedded.stack import Stack
from deploy.faults.waiting import eventually as eventually
from tests.support.hostile import Sent


def login(stack: Stack, user: str) -> dict[str, Any]:
    """How any aiokafka client logs in as this user."""
    return {
        "bootstrap_servers": stack.addresses.kafka,
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": user,
        "sasl_plain_password": stack.state.secret(f"kafka/{user}"),
    }


@asynccontextmanager
async def producer(stack: Stack, user: str) -> AsyncIterator[AIOKafkaProducer]:
    """An idempotent producer that also sends what no institution should."""
    made = AIOKafkaProducer(**login(stack, user), enable_idempotence=True, max_request_size=2_000_000)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


@asynccontextmanager
async def consumer(stack: Stack, user: str, *names: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A reader of whole topics from their beginning."""
    made = AIOKafkaConsumer(*names, **login(stack, user), auto_offset_reset="earliest")
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def send(stack: Stack, institution: str, records: Sequence[Sent]) -> list[int]:
    """Send records to an institution's own topic, in order; returns their offsets."""
    topic = topics.inbound(institution)
    async with producer(stack, institution) as made:
        pending = [await made.send(topic, one.value, one.key, headers=one.headers) for one in records]
        return [metadata.offset for metadata in await asyncio.gather(*pending)]


async def read_facts(
    stack: Stack, institution: str, enough: Callable[[list[Fact]], bool], within: float = 60
) -> list[Fact]:
    """Facts of an institution's ``out`` topic from its beginning until ``enough`` says so."""
    found: list[Fact] = []
    async with asyncio.timeout(within), consumer(stack, institution, topics.outbound(institution)) as made:
        while not enough(found):
            for batch in (await made.getmany(timeout_ms=200)).values():
                for record in batch:
                    if dict(record.headers).get("ce_type", b"").startswith(facts.TYPE_PREFIX.encode()):
                        fact = facts.decode(record.headers, record.value)
                        assert isinstance(fact, Fact)
                        found.append(fact)
    return found


def unique() -> str:
    """A word that stands nowhere else."""
    return uuid4().hex
