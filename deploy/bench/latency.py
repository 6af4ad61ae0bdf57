"""How long one declaration takes at a steady load: arrivals are random (Poisson), as real ones are.

Evenly spaced arrivals would hide whatever waits in a rhythm of its own.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence, Set
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import quantiles
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from contracts import facts, topics
from deploy.bench.load import Row
from deploy.ledger.kafka import ends, login
from deploy.provision import Target
from services.notifications import receipts
from services.runtime import database, sql

_SQL = sql.load(Path(__file__).with_name("latency.sql"))
_SEEN_WITHIN = 30.0
_LIGHTLY = database.BY_INDEX | {"enable_bitmapscan": "off", "jit": "off"}
"""Whoever looks must not weigh on what is looked at: the planner would read whole tables for a handful of rows, and
start a process for it at each look (6 of the 9 ms of PostgreSQL's time per event, measured)."""

_LOOK_EVERY = 0.25
"""Seconds after which the alerts are looked at even without a notification; one that is late shows as it is."""


WATCHED = 4
"""Institutions whose ``out`` topics are read: a reader of all of them takes Kafka as long as Ruta's own do."""


@dataclass
class Watch:
    """When each event's alert could be read and its fact lay on an ``out`` topic (time.monotonic, seconds)."""

    alerts: dict[UUID, float] = field(default_factory=dict)
    facts: dict[UUID, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Latencies:
    """Milliseconds from the publish call, one number per event (``to_fact``: of the busiest institutions only)."""

    per_s: float
    to_alert: tuple[float, ...]
    to_fact: tuple[float, ...]


class NotSeen(RuntimeError):
    """Something did not arrive in time: percentiles of the rest would leave out the slowest."""


async def measure(target: Target, rows: Sequence[Row], per_s: float, seed: int) -> Latencies:
    """Publish ``rows`` at random moments, ``per_s`` in the mean; the system is at rest before. Raises NotSeen."""
    random = Random(seed)  # noqa: S311 - a load that can be repeated
    published: dict[UUID, float] = {}
    busiest = {name for name, _ in Counter(row.institution for row in rows).most_common(WATCHED)}
    async with watching(target, busiest) as watch, publisher(target) as producer:
        # As a system that has been running: a first record of each topic would wait for where the topic is.
        for topic in {topics.inbound(row.institution) for row in rows}:
            await producer.partitions_for(topic)
        due = time.monotonic()
        sending = []
        for row in rows:
            due += random.expovariate(per_s)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            published[row.event] = time.monotonic()
            sending.append(asyncio.ensure_future(send(producer, row)))
        await asyncio.gather(*sending)
        # Only what is applied alerts the other party; every outcome is a fact on its owner's topic.
        wanted = {row.event for row in rows if row.outcome == "applied"}
        own = {row.event for row in rows if row.outcome == "applied" and row.institution in busiest}
        await until(lambda: wanted <= watch.alerts.keys() and own <= watch.facts.keys(), _SEEN_WITHIN)
    return Latencies(per_s, milliseconds(published, watch.alerts, wanted), milliseconds(published, watch.facts, own))


def milliseconds(published: Mapping[UUID, float], seen: Mapping[UUID, float], events: Set[UUID]) -> tuple[float, ...]:
    """From the publish call of each of these events until it was seen (both in seconds). Raises NotSeen."""
    if missing := len(events - seen.keys()):
        raise NotSeen(f"{missing} of {len(events)} events did not arrive within {_SEEN_WITHIN:.0f} s")
    return tuple(1000 * (seen[event] - published[event]) for event in events)


def percentiles(values: Iterable[float]) -> dict[str, float]:
    """p50, p95 and p99, rounded to tenths."""
    cuts = quantiles([*values], n=100, method="inclusive")
    return {name: round(cuts[at - 1], 1) for name, at in (("p50", 50), ("p95", 95), ("p99", 99))}


async def send(producer: AIOKafkaProducer, row: Row) -> None:
    """Publish one row; returns when it is acknowledged."""
    await producer.send_and_wait(topics.inbound(row.institution), row.value, row.key, headers=row.headers)


async def until(done: Callable[[], bool], within: float) -> bool:
    """Whether something became true in time."""
    deadline = time.monotonic() + within
    while not done() and time.monotonic() < deadline:
        await asyncio.sleep(0.005)
    return done()


@asynccontextmanager
async def publisher(target: Target) -> AsyncIterator[AIOKafkaProducer]:
    """A producer that waits for nothing, like the one institutions use."""
    producer = AIOKafkaProducer(**login(target), enable_idempotence=True, acks="all", linger_ms=0)
    try:
        await producer.start()
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def watching(target: Target, institutions: Collection[str]) -> AsyncIterator[Watch]:
    """Note the arrival of alerts, and of facts on the ``out`` topics of these, while the block runs."""
    watch = Watch()
    connection: asyncpg.Connection = await asyncpg.connect(
        host=target.database_host, port=target.database_port, database="ruta", user="ruta_operator",
        password=target.state.secret("database/ruta_operator"), server_settings=_LIGHTLY,
    )  # fmt: skip
    consumer = AIOKafkaConsumer(**login(target), enable_auto_commit=False, fetch_max_wait_ms=100)
    await consumer.start()
    await _at_the_end(consumer, [topics.outbound(code) for code in institutions])
    jobs = [asyncio.ensure_future(_alerts(connection, watch)), asyncio.ensure_future(_facts(consumer, watch))]
    try:
        yield watch
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
        await consumer.stop()
        await connection.close(timeout=5)


async def _at_the_end(consumer: AIOKafkaConsumer, names: Sequence[str]) -> None:
    last: dict[TopicPartition, int] = await ends(consumer, names)
    consumer.assign(list(last))
    for place, end in last.items():
        consumer.seek(place, end)


async def _alerts(connection: asyncpg.Connection, watch: Watch) -> None:
    # Receipts are announced when the transaction that holds them and their alerts commits.
    wake = asyncio.Event()
    await connection.add_listener(receipts.CHANNEL, lambda *_: wake.set())
    position = await connection.fetchval(_SQL["last_alert"])
    while True:
        wake.clear()
        rows = await connection.fetch(_SQL["alerts_after"], position)
        seen_at = time.monotonic()
        for row in rows:
            watch.alerts.setdefault(row["event_id"], seen_at)
            position = row["position"]
        if not rows:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY):
                    await wake.wait()


async def _facts(consumer: AIOKafkaConsumer, watch: Watch) -> None:
    own = facts.TYPE_PREFIX.encode()
    while True:
        batch = await consumer.getmany(timeout_ms=500)
        seen_at = time.monotonic()
        for record in (record for records in batch.values() for record in records):
            headers = dict(record.headers)
            if headers["ce_type"].startswith(own) and (event := headers.get("ce_causationid")):
                watch.facts.setdefault(UUID(event.decode()), seen_at)
