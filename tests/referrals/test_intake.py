"""The intake transaction on a real PostgreSQL: positions, replays, replaced processes, refused bytes, two workers."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import cast
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import TopicPartition

from contracts import topics
from contracts.codec import Located, Record
from contracts.values import Verb
from deploy.embedded.stack import Stack
from services.referrals import store
from services.referrals.answers import Decided
from services.referrals.refold import refold
from services.runtime.intake import Intake
from services.runtime.kafka import Admin, Cluster
from services.runtime.positions import Gap, Replaced, by_time
from tests.referrals.test_fold import PATH, by, path
from tests.support import builders as make
from tests.support.database import connect

pytestmark = pytest.mark.anyio


async def work(connection: asyncpg.Connection, batch: Sequence[Located], unstorable: bool) -> None:
    await store.apply(connection, batch, unstorable, make.MEMBERS, bearable=10)


class NoConsumer:
    """Stands in for the subscriber where only its commit is called."""

    consumer = None

    def __init__(self) -> None:
        self.consumer = self

    async def commit(self) -> None: ...

    def seek(self, *_: object) -> None: ...


async def intake(connection: asyncpg.Connection, cluster: str, records: Sequence[Record], prefix: str = "id") -> Intake:
    """An intake that is placed at the beginning, or where it was, of these records' topics."""
    ids = {record.topic: f"{prefix}-{record.topic}" for record in records}
    unused = cast(Admin, None)  # asked for topics only, and these are known
    taking = Intake(
        unused, connection, work, ids.__contains__, "group", "1", consumer=NoConsumer(), cluster=Cluster(cluster, ids)
    )
    await taking.positions.begin(connection, cluster, {(topic, topic_id, 0): 0 for topic, topic_id in ids.items()})
    return taking


async def outcomes(connection: asyncpg.Connection, cluster: str) -> list[str]:
    rows = await connection.fetch("select outcome from fact where cluster = $1 order by position", cluster)
    return [row["outcome"] for row in rows]


async def test_redelivered_records_are_skipped_without_a_trace(connection: asyncpg.Connection) -> None:
    cluster, records = uuid4().hex, path(uuid4(), uuid4())
    taking = await intake(connection, cluster, records)
    await taking._take(records[:3])
    await taking._take(records)
    await taking._take(records)
    assert await outcomes(connection, cluster) == ["applied"] * len(PATH)


def test_what_is_read_again_is_taken_in_the_order_of_receipt_and_of_each_topic() -> None:
    def at(topic: str, offset: int, timestamp: int) -> Record:
        return Record(topic, 0, offset, timestamp, None, (), None)

    # The broker's clock went back a little between the second and the third record of "a".
    records = [at("a", 0, 10), at("a", 1, 30), at("a", 2, 29), at("b", 0, 11), at("b", 1, 20), at("c", 7, 5)]
    taken = [(one.topic, one.offset) for one in by_time(records)]
    assert taken == [("c", 7), ("a", 0), ("b", 0), ("b", 1), ("a", 1), ("a", 2)]


async def test_a_process_that_was_replaced_moves_nothing(connection: asyncpg.Connection) -> None:
    cluster, records = uuid4().hex, path(uuid4(), uuid4())
    zombie = await intake(connection, cluster, records)
    await zombie._take(records[:1])
    successor = await intake(connection, cluster, records)
    await successor._take(records[:3])
    located = [Located(record, cluster, f"id-{record.topic}") for record in records[1:3]]
    with pytest.raises(Replaced):
        await zombie._transact(located)
    assert await outcomes(connection, cluster) == ["applied"] * 3
    # Asked to take them as they came, it looks again, finds them done, and leaves them.
    await zombie._take(records[1:3])
    assert await outcomes(connection, cluster) == ["applied"] * 3


async def test_a_hole_in_the_offsets_is_read_again_once_and_then_stops_intake(
    connection: asyncpg.Connection,
) -> None:
    cluster, records = uuid4().hex, path(uuid4(), uuid4(), (Verb.REQUESTED, Verb.WITHDRAWN))
    taking = await intake(connection, cluster, records)
    await taking._take(records[:1])
    await taking._take([replace(records[1], offset=7)])
    assert await outcomes(connection, cluster) == ["applied"]
    with pytest.raises(Gap, match="expected 1, got 7"):
        await taking._take([replace(records[1], offset=7)])


async def test_records_of_a_partition_that_is_not_ours_are_left(connection: asyncpg.Connection) -> None:
    cluster, records = uuid4().hex, path(uuid4(), uuid4(), (Verb.REQUESTED,))
    taking = await intake(connection, cluster, records)
    taking.positions.next.clear()
    await taking._take(records)
    assert await outcomes(connection, cluster) == []


async def test_a_topic_made_anew_is_another_topic(connection: asyncpg.Connection) -> None:
    cluster, records = uuid4().hex, path(uuid4(), uuid4(), (Verb.REQUESTED,))
    await (await intake(connection, cluster, records))._take(records)
    again = await intake(connection, cluster, records, prefix="made-anew")
    await again._take(path(uuid4(), uuid4(), (Verb.REQUESTED,)))
    assert await outcomes(connection, cluster) == ["applied", "applied"]


class Rewound(NoConsumer):
    """Reads topics that begin at ``first``, and remembers where it was sent to."""

    def __init__(self, first: int = 0) -> None:
        super().__init__()
        self.first = first
        self.sought: list[tuple[str, int]] = []

    async def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, self.first)

    def seek(self, *where: object) -> None:
        partition, offset = where
        self.sought.append((cast(TopicPartition, partition).topic, cast(int, offset)))


class Knows:
    """An admin that answers with one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def cluster(self) -> Cluster:
        return self._cluster


async def test_a_topic_made_anew_while_it_is_read_is_read_from_its_beginning(connection: asyncpg.Connection) -> None:
    """Kafka does not tell a reader: it goes on at the old offset, and the first records would never be taken."""
    cluster, records = uuid4().hex, path(uuid4(), uuid4(), (Verb.REQUESTED,))
    topic = records[0].topic
    taking = await intake(connection, cluster, records)
    taking.consumer = consumer = Rewound()
    taking.admin = cast(Admin, Knows(taking.cluster or await taking.learn()))
    reads = [TopicPartition(topic, 0)]
    await taking.place(reads)
    await taking._take(records)
    anew = Cluster(cluster, {topic: "made-anew"})
    taking.admin = cast(Admin, Knows(anew))
    await taking._place_those_made_anew(reads, anew)
    await taking._place_those_made_anew(reads, anew)
    assert consumer.sought == [(topic, 0), (topic, 0)]
    await taking._take(path(uuid4(), uuid4(), (Verb.REQUESTED,)))
    assert await outcomes(connection, cluster) == ["applied", "applied"]


async def test_records_that_were_deleted_before_they_were_read_stop_intake_at_once(
    connection: asyncpg.Connection,
) -> None:
    cluster, records = uuid4().hex, path(uuid4(), uuid4(), (Verb.REQUESTED,))
    reads = [TopicPartition(records[0].topic, 0)]
    taking = await intake(connection, cluster, records)
    taking.admin = cast(Admin, Knows(taking.cluster or await taking.learn()))
    await taking._take(records)
    taking.consumer = Rewound(first=1)
    await taking.place(reads)  # what was deleted had been read
    taking.consumer = Rewound(first=2)
    with pytest.raises(Gap, match="expected 1, got 2"):
        await taking.place(reads)


async def test_what_the_database_refuses_is_found_by_halving(
    connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster, bad = uuid4().hex, uuid4()
    requests = [make.declaration(Verb.REQUESTED, uuid4(), uuid4(), by=make.SENDER) for _ in range(9)]
    requests[5] = replace(requests[5], envelope=replace(requests[5].envelope, referral=bad))
    requests[5] = make.declaration(Verb.REQUESTED, bad, uuid4(), by=make.SENDER)
    records = [make.record(one, offset=offset) for offset, one in enumerate(requests)]
    original = store._row

    def unstorable(decided: Decided) -> tuple[object, ...]:
        row = original(decided)
        return (*row[:11], ["a\0b"], *row[12:]) if decided.fact.referral == bad else row

    monkeypatch.setattr(store, "_row", unstorable)
    await (await intake(connection, cluster, records))._take(records)
    assert await outcomes(connection, cluster) == ["applied"] * 5 + ["quarantined"] + ["applied"] * 3
    assert await connection.fetchval("select count(*) from referral where referral = $1", bad) == 0


async def test_a_request_in_vain_leaves_no_empty_row(connection: asyncpg.Connection) -> None:
    refused = make.declaration(
        Verb.REQUESTED, uuid4(), uuid4(), by=make.SENDER, details=make.requested(recipient="nobody-knows")
    )
    records = [make.record(refused)]
    await (await intake(connection, uuid4().hex, records))._take(records)
    assert (
        await connection.fetchval("select count(*) from referral where referral = $1", refused.envelope.referral) == 0
    )


async def test_two_workers_on_the_same_referrals_lose_nothing(stack: Stack, schema: str) -> None:
    """Sender's and recipient's topics are taken by different workers that meet on the same rows."""
    cluster = uuid4().hex
    referrals = [(uuid4(), uuid4()) for _ in range(60)]
    sides: dict[str, list[Record]] = {make.SENDER: [], make.RECIPIENT: []}
    for verb in PATH:
        for referral, need in referrals:
            side = sides[by(verb)]
            side.append(make.record(make.declaration(verb, referral, need, by=by(verb)), offset=len(side)))

    async def run(records: list[Record], size: int) -> None:
        connection = await connect(stack, "referrals_app", schema)
        taking = await intake(connection, cluster, records)
        for start in range(0, len(records), size):
            await taking._take(records[start : start + size])
        await connection.close()

    await asyncio.gather(run(sides[make.SENDER], 7), run(sides[make.RECIPIENT], 11))
    check = await connect(stack, "referrals_app", schema)
    rows = await check.fetch(
        "select r.version, r.state, count(f.*) as facts, max(f.version) as last from referral r "
        "join fact f on f.referral = r.referral and f.version is not null where f.cluster = $1 "
        "group by 1, 2, r.referral",
        cluster,
    )
    total = await check.fetchval("select count(*) from fact where cluster = $1", cluster)
    differences = (await refold(check)).differences
    await check.close()
    assert total == len(sides[make.SENDER]) + len(sides[make.RECIPIENT])
    assert {row["version"] - row["last"] for row in rows} == {0}
    assert {row["facts"] - row["last"] for row in rows} == {0}
    assert differences == ()


async def test_who_may_write_which_topic_is_written_down_once() -> None:
    assert topics.owner(topics.inbound("imebu")) == "imebu"
    assert topics.owner(topics.outbound("imebu")) is None
    assert topics.owner(topics.FACTS) is None
