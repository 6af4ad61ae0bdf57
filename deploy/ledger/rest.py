"""A moment at which nothing is under way: where every topic ends, and a database snapshot that holds just that.

A system that goes on working does not disturb what is read of such a moment, so the ledger of a running one is exact.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts import topics
from deploy.database import reader
from deploy.embedded.errors import StackError
from deploy.ledger import kafka
from deploy.provision import Target
from services.runtime import sql

_SQL = sql.load(Path(__file__).parent.parent / "sql" / "operator.sql")

LOOKED_AT_EVERY = 0.2
"""Seconds between two looks; institutions that pause for a second leave a moment that is found."""

Ends = Mapping[TopicPartition, int]


class Restless(StackError):
    """The system did not come to rest in time; the text says what it was still doing."""


@dataclass(frozen=True)
class Rest:
    """That moment. ``connection`` is in the snapshot; ``mails`` are the files of the mail sink then."""

    connection: asyncpg.Connection
    ends: Ends
    begins: Mapping[tuple[str, int], int]
    topic_ids: Mapping[str, str]
    mails: Sequence[Path]


@asynccontextmanager
async def at_rest(target: Target, within: float) -> AsyncIterator[Rest]:
    """Wait at most ``within`` seconds for such a moment and hold it while the block runs. Raises Restless."""
    loop = asyncio.get_running_loop()
    deadline, waits = loop.time() + within, ["nothing was found out"]
    async with kafka.consuming(target) as consumer, reader(target, "referrals") as connection:
        while True:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                rest, waits = await _look(target, consumer, connection)
                if not waits:
                    yield rest
                    return
            if loop.time() > deadline:
                raise Restless(f"No moment of rest within {within:.0f} s: {', '.join(waits)}.")
            await asyncio.sleep(LOOKED_AT_EVERY)


async def _look(target: Target, consumer: AIOKafkaConsumer, connection: asyncpg.Connection) -> tuple[Rest, list[str]]:
    """What there is now, and what keeps it from being a moment of rest."""
    cluster = await asyncio.to_thread(kafka.cluster, target)
    names = [name for name in cluster.topic_ids if kafka.counts(name)]
    ends = await kafka.ends(consumer, names)
    mails = await asyncio.to_thread(lambda: sorted((target.state.mail / "new").iterdir()))
    behind = dict(await connection.fetchrow(_SQL["behind"]))  # the snapshot is taken here
    positions = await connection.fetch(_SQL["positions"], cluster.id)
    known = {(row["service"], row["topic_id"], row["partition"]): row["next_offset"] for row in positions}
    unread: Counter[str] = Counter()
    for place, end in ends.items():
        for service in _readers(place.topic):
            at = known.get((service, cluster.topic_ids[place.topic], place.partition), 0)
            unread[f"records unread by {service}"] += end - at
    # Less than nothing to do is no work that anybody will do: the checks say what is wrong there.
    waits = [f"{count} {what}" for what, count in {**unread, **behind}.items() if count > 0]
    if not waits and ends != await kafka.ends(consumer, names):
        waits = ["records keep coming"]
    begins = {(one.topic, one.partition): at for one, at in (await consumer.beginning_offsets(list(ends))).items()}
    return Rest(connection, ends, begins, cluster.topic_ids, mails), waits


def _readers(topic: str) -> tuple[str, ...]:
    if topics.owner(topic):
        return "referrals", "audit"
    return {topics.FACTS: ("notifications", "audit"), topics.ALERTS: ("audit",)}.get(topic, ())
