"""`ruta quarantine`: the records that could not be read, and the release of those that waited for a mend of ours."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from rich.console import Console
from rich.table import Table

from contracts.codec import Record
from deploy.commands_inspect import named
from deploy.database import connected, reader
from deploy.ledger.kafka import cluster, consuming
from deploy.provision import Target
from deploy.running import running_stack
from services.referrals.release import Fetch, Place, Released
from services.referrals.release import release as release_waiting
from services.runtime import kafka, sql
from services.runtime.members import reachable

_SQL = sql.load(Path(__file__).parent / "sql" / "operator.sql")

READ_WITHIN = 10.0
"""Seconds for one record to be read again."""


def listed() -> None:
    """`ruta quarantine list`: coordinates and what to mend; then what waits for its release."""
    asyncio.run(_listed())


async def _listed() -> None:
    table = Table("received (UTC)", "topic", "offset", "problem", "detail", box=None, pad_edge=False)
    async with reader(running_stack()[0], "referrals") as connection:
        rows = await connection.fetch(_SQL["quarantined"])
        waiting = await connection.fetch(_SQL["waiting"])
    for row in reversed(rows):
        fact = json.loads(row["value"])
        cause = fact["cause"]
        table.add_row(
            f"{row['received_at']:%Y-%m-%d %H:%M:%S}",
            cause["topic"],
            str(cause["offset"]),
            fact["problem"],
            fact.get("detail", ""),
        )
    Console().print(table if rows else "nothing is quarantined")
    for row in waiting:
        what = f"referral {row['root']}" if row["root"] else "unreadable"
        print(f"{what}: {row['records']} records wait for a mend of ours since {row['oldest']:%Y-%m-%d %H:%M:%S}")


def release(referral: str | None) -> int:
    """`ruta quarantine release`: 0 when nothing waits any more, 1 with what still does. Raises StackError."""
    chosen = named(referral) if referral else None
    released = asyncio.run(run(running_stack()[0], chosen))
    print(f"{released.records} records were released")
    print("\n".join(released.waiting), end="\n" if released.waiting else "")
    return 1 if released.waiting else 0


async def run(target: Target, referral: UUID | None = None) -> Released:
    """Release on a running system, with the rules as they are here and now.

    Who has no topics yet is no member, as for intake: a fact for it would stop the relay.
    """
    there = await asyncio.to_thread(cluster, target)
    members = reachable(target.directory.by_code, there.topic_ids)
    async with fetching(target) as fetch, connected(target, "referrals", "referrals_app") as connection:
        return await release_waiting(connection, fetch, members, referral)


@asynccontextmanager
async def fetching(target: Target) -> AsyncIterator[Fetch]:
    """Reads records by their coordinates, without a group."""
    options = {"auto_offset_reset": "none", "max_partition_fetch_bytes": kafka.FETCH_BYTES}
    async with consuming(target, **options) as consumer:
        yield lambda places: _fetch(consumer, places)


async def _fetch(consumer: AIOKafkaConsumer, places: Sequence[Place]) -> Mapping[Place, Record]:
    found: dict[Place, Record] = {}
    for topic, partition in dict.fromkeys((topic, partition) for topic, partition, _ in places):
        where = TopicPartition(topic, partition)
        consumer.assign([where])
        first = (await consumer.beginning_offsets([where]))[where]
        end = (await consumer.end_offsets([where]))[where]
        for place in places:
            if place[:2] == (topic, partition) and first <= place[2] < end:
                consumer.seek(where, place[2])
                async with asyncio.timeout(READ_WITHIN):
                    raw = await consumer.getone(where)
                found[place] = kafka.record(raw)
    return found
