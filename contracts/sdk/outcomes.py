"""Waits for what Ruta decided about declarations: one reader of the institution's ``out`` topic."""

import asyncio
from collections import OrderedDict
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
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
    """Outcomes of one institution's declarations, by event id. Open it before sending; it reads from then on.

    Several records may carry one id, and each gets its answer. The one that counts is the first that settles the
    declaration: applied, refused, duplicate or conflict, also where it was released. Quarantined and parked settle
    nothing, because the id may be used again or the real answer follows. While nothing else is there the newest of them
    counts: of two quarantines, the one that says what is wrong with the declaration as it was sent last.
    """

    def __init__(self, institution: str, connection: Connection) -> None:
        self._institution = institution
        self._connection = connection
        self._expected: dict[UUID, asyncio.Future[Fact]] = {}
        self._answered: OrderedDict[UUID, Fact] = OrderedDict()
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
        """Remember the outcome of this declaration when it comes; call it before sending.

        Where it was quarantined or parked before, the next answer is awaited; what settles it is never asked again.
        """
        known = self._answered.get(event_id)
        if known is None or not _settles(known):
            self._expected.setdefault(event_id, asyncio.get_running_loop().create_future())

    async def wait(self, event_id: UUID, seconds: float) -> Fact:
        """The outcome that counts of those that came, else the next one.

        Raises OutcomeUnknown after ``seconds`` and when this was closed; and NotReachable, LoginRefused, NotPermitted
        or SdkError when the topic can no longer be read.
        """
        expected = self._expected.get(event_id)
        if expected is None and (known := self._answered.get(event_id)):
            return known
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
                if fact and fact.data.cause.event:
                    self._take(fact.data.cause.event, fact)
        except KafkaError as error:
            raise translated(error) from None

    def _take(self, event_id: UUID, fact: Fact) -> None:
        known, expected = self._answered.get(event_id), self._expected.get(event_id)
        if not known and not expected:
            return
        # A record of the topic may be repeated: it is no answer to what was sent after it.
        if known and (_settles(known) or known.id == fact.id):
            return
        self._answered[event_id] = fact
        self._answered.move_to_end(event_id)
        if len(self._answered) > REMEMBERED:
            self._answered.popitem(last=False)
        if expected:
            del self._expected[event_id]
            expected.set_result(fact)

    async def _look_up(self, event_id: UUID) -> Fact:
        newest: Fact | None = None
        try:
            async with started(_reader(self._connection), self._connection) as consumer:
                place = await _assign(consumer, self._institution)
                # Asked for first: nothing that comes meanwhile may lie before the place where reading begins.
                end = (await consumer.end_offsets([place]))[place]
                found = (await consumer.offsets_for_times({place: _since(event_id)}))[place]
                consumer.seek(place, found.offset if found else end)
                async for record in consumer:
                    fact = _outcome(record, self._institution)
                    if fact and fact.data.cause.event == event_id:
                        newest = fact
                    if newest and (_settles(newest) or record.offset >= end - 1):
                        return newest
        except KafkaError as error:
            raise translated(error) from None
        raise OutcomeUnknown("the reader was closed")

    async def _stop(self) -> None:
        self._listening.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await self._listening


def _settles(fact: Fact) -> bool:
    return fact.outcome not in ("quarantined", "parked")


def _since(event_id: UUID) -> int:
    """The time in milliseconds from which its outcome may stand in the topic."""
    made = made_at(event_id)
    return max(0, int((made - SKEW).timestamp() * 1000)) if made else 0


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
