"""Facts that could not be read when they came, once more: a newer version of this service may know them.

Their alerts have the ids that they would have had then, so a repeat adds nothing. What still cannot be read stays.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import asyncpg
from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException

from contracts.codec import Located
from contracts.directory import Institution
from contracts.envelope import Flaw
from services.notifications import store
from services.notifications.routing import Alert
from services.runtime import logs, sql
from services.runtime.database import UNSTORABLE
from services.runtime.kafka import Cluster
from services.runtime.refetch import Fetch

log = logging.getLogger("ruta.notifications")
_SQL = sql.load(Path(__file__).parent / "sql" / "unreadable.sql")

AT_ONCE = 500
"""Records in hand."""


async def read_again(
    pool: asyncpg.Pool,
    learn: Callable[[], Awaitable[Cluster]],
    fetching: Callable[[], AbstractAsyncContextManager[Fetch]],
    members: Mapping[str, Institution],
) -> list[Alert]:
    """The alerts that are new. A transaction for each fact; what Kafka does not give now is left for the next time."""
    rows = await pool.fetch(_SQL["unreadable"])
    if not rows:
        return []
    new: list[Alert] = []
    read = 0
    try:
        cluster = await learn()
        async with fetching() as fetch:
            for start in range(0, len(rows), AT_ONCE):
                for located in await _located(fetch, rows[start : start + AT_ONCE], cluster):
                    told = await _tell(pool, located, members)
                    if told is not None:
                        read += 1
                        new += told
    except (KafkaError, KafkaException) as error:
        log.warning("facts could not be fetched again", extra={"reason": logs.describe(error)})
    log.info("facts were read again", extra={"records": read})
    if read < len(rows):
        log.error("facts still cannot be read, nobody was alerted of them", extra={"records": len(rows) - read})
    return new


async def _located(fetch: Fetch, rows: Sequence[asyncpg.Record], cluster: Cluster) -> list[Located]:
    """Those that Kafka still has: a topic made anew under the old name has other records at these offsets."""
    places = {
        (row["topic"], row["partition"], row["record_offset"]): row["topic_id"]
        for row in rows
        if row["cluster"] == cluster.id and row["topic_id"] == cluster.topic_ids.get(row["topic"])
    }
    records = await fetch(list(places))
    return [Located(records[place], cluster.id, topic_id) for place, topic_id in places.items() if place in records]


async def _tell(pool: asyncpg.Pool, located: Located, members: Mapping[str, Institution]) -> list[Alert] | None:
    """The new alerts of a fact that can be read now; None if it still cannot."""
    if isinstance(store.read(located), Flaw):
        return None
    record = located.record
    try:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(_SQL["read"], located.cluster, located.topic_id, record.partition, record.offset)
            return list(await store.apply(connection, [located], False, members))
    except UNSTORABLE as error:
        log.warning("database refused a fact again", extra={"offset": record.offset, "reason": type(error).__name__})
        return None
