"""`ruta topics`: Kafka as contracts and directory say it should be, and what to do where it has lost something."""

import asyncio

from aiokafka import TopicPartition

from contracts import topics
from deploy import keys
from deploy.database import connected
from deploy.embedded.errors import StackError
from deploy.ledger import kafka
from deploy.provision import Target, kafka_plan, provision_topics
from deploy.running import running_stack


def run(*, dry_run: bool) -> None:
    """Print the changes, and make them unless it is a dry run. Raises StackError when nothing runs."""
    target, _ = running_stack()
    lines = kafka_plan(target).lines() if dry_run else asyncio.run(provision_topics(target))
    if not dry_run:
        keys.ensure(target)  # nobody can seal anything for a new member before
    print("\n".join(lines) if lines else "nothing to change")


def accept_gap(topic: str, accepted: bool) -> None:
    """Say which records are missing; with ``accepted`` let intake go on behind them. Raises StackError."""
    missing = asyncio.run(gap(running_stack()[0], topic, accepted=accepted))
    if missing is None:
        print(f"{topic}: nothing is missing")
        return
    first, last = missing
    print(f"{topic}: the records {first} to {last} were deleted before they were read, and nobody was told an outcome")
    print("intake goes on behind them" if accepted else "with --yes intake goes on behind them")


async def gap(target: Target, topic: str, *, accepted: bool) -> tuple[int, int] | None:
    """The first and the last offset that are missing, None where none is. The log keeps its own account of it.

    Raises StackError for a topic that is not read.
    """
    cluster = await asyncio.to_thread(kafka.cluster, target)
    if topics.owner(topic) is None or topic not in cluster.topic_ids:
        raise StackError(f"There is no inbound topic {topic}.")
    place = cluster.id, cluster.topic_ids[topic]
    async with kafka.consuming(target) as consumer:
        (first,) = (await consumer.beginning_offsets([TopicPartition(topic, 0)])).values()
    async with connected(target, "referrals", "referrals_app") as connection, connection.transaction():
        expected = await connection.fetchval(
            "select next_offset from intake_position where cluster = $1 and topic_id = $2 for update", *place
        )
        if expected is None or expected >= first:
            return None
        if accepted:
            await connection.execute(
                "update intake_position set next_offset = $3 where cluster = $1 and topic_id = $2", *place, first
            )
    return expected, first - 1
