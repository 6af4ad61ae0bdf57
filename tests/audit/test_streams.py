"""A jump in the offsets is believed when it is there again: a leaf that says so is there for ever."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import TopicAuthorizationFailedError

from contracts import topics
from services.audit import streams
from services.audit.reading import Arrival, Gap
from services.audit.streams import Streams, Wanted
from services.runtime.kafka import Cluster
from tests.audit.support import CLUSTER, MILLISECONDS
from tests.support import builders as make
from tests.support.wire import eventually

pytestmark = pytest.mark.anyio

PARTITION = TopicPartition(topics.inbound(make.SENDER), 0)


class Consumer:
    """As much of a client as is used. It leaves out some offsets: those of ``jumped`` only until it is sought again."""

    def __init__(self, holes: set[int], jumped: set[int]) -> None:
        self.left_out, self.holes, self.position, self.seeks = holes | jumped, holes, 0, 0

    async def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 6)

    def assign(self, partitions: list[TopicPartition]) -> None: ...

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.seeks, self.position = self.seeks + 1, offset
        if self.seeks > 1:  # the first one is the assignment's
            self.left_out = self.holes

    async def getmany(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Any]]:
        offsets = [offset for offset in range(self.position, 6) if offset not in self.left_out]
        self.position = 6
        return {PARTITION: [raw(offset) for offset in offsets]}


def raw(offset: int) -> Any:
    return SimpleNamespace(
        topic=PARTITION.topic, partition=0, offset=offset, timestamp=MILLISECONDS, key=b"key", headers=(), value=b"{}"
    )


async def nothing_listed() -> Cluster:
    raise AssertionError("topics are not listed here")


async def taken(consumer: Any) -> list[int | tuple[int, int, str]]:
    reading = Streams(consumer, nothing_listed)
    await reading.assign(Wanted(CLUSTER, {PARTITION: (CLUSTER, "id", 0)}), {})
    items: list[Arrival | Gap] = []
    while batch := await reading.take(0.0, 100) or await reading.take(0.0, 100):
        items += batch
    return [(one.first, one.last, one.why) if isinstance(one, Gap) else one.record.offset for one in items]


async def test_a_jump_of_the_client_leaves_no_trace() -> None:
    assert await taken(Consumer(set(), {2, 3})) == [0, 1, 2, 3, 4, 5]


async def test_a_jump_that_stays_is_a_gap() -> None:
    assert await taken(Consumer({2, 3}, set())) == [0, 1, (2, 3, "hole"), 4, 5]
    assert await taken(Consumer({0, 2, 3, 4}, {1})) == [(0, 0, "hole"), 1, (2, 4, "hole"), 5]


class Refusing(Consumer):
    """It may not read the topic until ``allowed``."""

    def __init__(self) -> None:
        super().__init__(set(), set())
        self.allowed, self._client = False, self

    async def set_topics(self, names: list[str]) -> None: ...

    def partitions_for_topic(self, name: str) -> set[int]:
        return {0}

    async def getmany(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Any]]:
        if not self.allowed:
            raise TopicAuthorizationFailedError(PARTITION.topic)
        return await super().getmany(timeout_ms, max_records)


async def test_a_topic_that_may_not_be_read_is_missing_until_a_look_has_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LISTED_EVERY", 0.01)
    consumer: Any = Refusing()

    async def listed() -> Cluster:
        return Cluster(CLUSTER, {PARTITION.topic: "id"})

    reading = Streams(consumer, listed)
    said = []
    async with reading.listing():
        for _ in range(50):  # looks go by, and nobody is told once that all is read
            if (wanted := reading.changed()) is not None:
                await reading.assign(wanted, {})
            await reading.take(0.001, 100)
            said.append(reading.missing())
        assert said == [[f"{PARTITION.topic} may not be read"]] * 50
        consumer.allowed = True
        taken: list[Arrival | Gap] = []

        async def all_is_read() -> bool:
            if (wanted := reading.changed()) is not None:
                await reading.assign(wanted, {})
            taken.extend(await reading.take(0.001, 100))
            return bool(taken) and not reading.missing()

        await eventually(all_is_read)
