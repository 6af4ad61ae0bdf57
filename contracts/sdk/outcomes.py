"""Waits for what Ruta decided about declarations: one reader of the institution's ``out`` topic."""

import asyncio
from collections import OrderedDict
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from contracts import facts, topics
from contracts.facts import Fact
from contracts.sdk.connection import Connection, started, translated
from contracts.sdk.errors import NotPermitted, NotReachable, OutcomeUnknown
from contracts.sdk.uuid7 import made_at

REMEMBERED = 10_000
"""How many outcomes are kept for whoever asks later; older ones are looked up in the topic."""

SKEW = timedelta(minutes=10)
"""How far the clocks of sender and cluster may differ when an outcome is looked up by the time in its id."""


class Outcomes:
    """Outcomes of one institution's declarations, by event id. Open it before sending; it reads from then on."""

    def __init__(self, institution: str, connection: Connection) -> None:
        self._institution = institution
        self._connection = connection
        self._expected: OrderedDict[UUID, asyncio.Future[Fact]] = OrderedDict()
        self._closing = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opened:
            consumer = await opened.enter_async_context(started(_reader(self._connection), self._connection))
            place = await _assign(consumer, self._institution)
            # The end must be known before anything is sent, or an early answer would lie before it.
            if not await consumer.seek_to_end(place):
                raise NotReachable("the broker does not tell where the topic ends")
            self._listening = asyncio.create_task(self._listen(consumer))
            opened.push_async_callback(self._stop)
            self._closing = opened.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._closing.aclose()

    def expect(self, event_id: UUID) -> None:
        """Remember the outcome of this declaration when it comes; call it before sending."""
        if event_id not in self._expected:
            self._expected[event_id] = asyncio.get_running_loop().create_future()
            while len(self._expected) > REMEMBERED:
                self._expected.popitem(last=False)

    async def wait(self, event_id: UUID, seconds: float) -> Fact:
        """The first outcome of the declaration. Raises OutcomeUnknown after ``seconds``."""
        expected = self._expected.get(event_id)
        try:
            async with asyncio.timeout(seconds):
                if expected is None:
                    return await self._look_up(event_id)
                either: set[asyncio.Future[Any]] = {expected, self._listening}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                if expected.done():
                    return expected.result()
                if self._listening.cancelled():
                    raise OutcomeUnknown("the publisher was closed")
                await self._listening  # raises what ended it
                raise OutcomeUnknown("the reader ended")
        except TimeoutError:
            raise OutcomeUnknown(f"no outcome within {seconds:g} s: send the same declaration again") from None

    async def _listen(self, consumer: AIOKafkaConsumer) -> None:
        try:
            async for record in consumer:
                fact = _outcome(record, self._institution)
                event_id = fact.data.cause.event if fact else None
                expected = self._expected.get(event_id) if event_id else None
                if fact and expected and not expected.done():
                    expected.set_result(fact)
        except KafkaError as error:
            raise translated(error) from None

    async def _look_up(self, event_id: UUID) -> Fact:
        async with started(_reader(self._connection), self._connection) as consumer:
            place = await _assign(consumer, self._institution)
            made = made_at(event_id)
            since = made - SKEW if made else datetime.fromtimestamp(0, UTC)
            found = await consumer.offsets_for_times({place: int(since.timestamp() * 1000)})
            if found[place] is None:
                await consumer.seek_to_end(place)
            else:
                consumer.seek(place, found[place].offset)
            async for record in consumer:
                fact = _outcome(record, self._institution)
                if fact and fact.data.cause.event == event_id:
                    return fact
        raise OutcomeUnknown("the reader was closed")

    async def _stop(self) -> None:
        self._listening.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await self._listening


def _reader(connection: Connection) -> AIOKafkaConsumer:
    # No group: nothing is committed, and two publishers of one institution do not share the answers out.
    return AIOKafkaConsumer(**connection.options(), enable_auto_commit=False, auto_offset_reset="earliest")


async def _assign(consumer: AIOKafkaConsumer, institution: str) -> TopicPartition:
    place = TopicPartition(topics.outbound(institution), 0)
    # The library asks for the position in a topic that it may not see for ever, without a pause.
    if place.topic not in await consumer.topics():
        raise NotPermitted(f"this user may not read {place.topic}, or it does not exist")
    consumer.assign([place])
    return place


def _outcome(record: object, institution: str) -> Fact | None:
    fact = facts.decode(tuple(record.headers), record.value)  # type: ignore[attr-defined]
    return fact if isinstance(fact, Fact) and fact.data.cause.owner == institution and fact.answer else None
