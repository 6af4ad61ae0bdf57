"""Several workers of the referral service: one of them reads each topic, whoever dies, freezes or is gone."""

import asyncio
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest
from confluent_kafka import ConsumerGroupState

from contracts import topics
from contracts.codec import Declaration
from deploy.database import reader
from deploy.embedded.ports import Ports
from deploy.embedded.stack import Stack
from deploy.faults.system import frozen
from deploy.provision_kafka import admin_client
from tests.faults.load import killed, under_load
from tests.support import builders as make
from tests.support import hostile
from tests.support.wire import eventually, send

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(420)]

WORKERS = ("referrals", "referrals-2")
TAKEN_OVER_WITHIN = 60  # the session of a silent worker ends after 10 s


async def test_workers_that_die_or_freeze_under_load_lose_and_double_nothing(
    session_folder: Path, anyio_backend: str
) -> None:
    async with Stack(session_folder / "workers", Ports.free(workers=2)) as stack:
        await start(stack)
        await shared_by(stack, 2)
        async with under_load(stack) as load:
            for victim in WORKERS:
                await load.progress()
                await killed(stack, victim)
            for zombie, instance in zip(WORKERS, ("1", "2"), strict=True):
                await load.progress()
                before = await division(stack)
                owners = [str(topics.owner(topic)) for topic in before[instance]]
                with frozen(stack.pid(zombie)):
                    await shared_by(stack, 1)
                    count = await decided(stack, owners)
                    await eventually(lambda: more(stack, owners, count), TAKEN_OVER_WITHIN, "its topics being read")  # noqa: B023
                await shared_by(stack, 2)
                await stack.wait_ready(zombie, 60)


async def test_topics_of_workers_that_are_gone_are_read_by_the_others(session_folder: Path, anyio_backend: str) -> None:
    root = session_folder / "fewer"
    async with Stack(root, Ports.free(workers=2)) as stack:
        await start(stack)
        await shared_by(stack, 2)
        await stack.stop("referrals-2")
        await everybody_is_answered(stack)
        await stack.start("referrals-2")
        await shared_by(stack, 2)
    async with Stack(root, Ports.free()) as stack:
        await start(stack)
        await everybody_is_answered(stack)


async def start(stack: Stack) -> None:
    names = [name for name in stack.services if name in WORKERS]
    await stack.start(*names, "notifications", "audit")
    for name in (*names, "notifications", "audit"):
        await stack.wait_ready(name, 60)


async def division(stack: Stack) -> Mapping[str, frozenset[str]]:
    """Which topics each worker has by what Kafka says, by instance; empty while they are being divided."""
    target = stack.target

    def ask() -> Mapping[str, frozenset[str]]:
        password = target.state.secret(f"kafka/{topics.OPERATOR}")
        client = admin_client(target.kafka_bootstrap, topics.OPERATOR, password)
        group = client.describe_consumer_groups([topics.REFERRALS], request_timeout=10)[topics.REFERRALS].result()
        if group.state is not ConsumerGroupState.STABLE:
            return {}
        return {
            one.group_instance_id.rpartition("-")[2]: frozenset(p.topic for p in one.assignment.topic_partitions)
            for one in group.members
        }

    return await asyncio.to_thread(ask)


async def shared_by(stack: Stack, workers: int) -> None:
    """Wait until so many workers have divided the topics. Raises AssertionError with all that is known, if they do
    not: what Kafka says of the group, and what each worker said last."""
    try:
        await eventually(lambda: divided(stack, workers), TAKEN_OVER_WITHIN, f"{workers} workers dividing the topics")
    except AssertionError as late:
        try:
            async with asyncio.timeout(20):
                found = {instance: sorted(topics) for instance, topics in (await division(stack)).items()}
        except TimeoutError:
            found = {"Kafka was not asked": sorted(thread.name for thread in threading.enumerate())}
        logs = (stack.supervisor.log(name).read_text("utf-8")[-3000:] for name in WORKERS)
        raise AssertionError(f"{late}: {found}, {stack.statuses()}\n" + "\n".join(logs)) from late


async def divided(stack: Stack, workers: int) -> bool:
    """Every inbound topic is read by exactly one of so many workers, and each has its share."""
    found = await division(stack)
    sizes = [len(of_one) for of_one in found.values()]
    everything = {topic.name for topic in topics.provisioned(stack.target.directory) if topics.owner(topic.name)}
    whole = frozenset[str]().union(*found.values()) == everything and sum(sizes) == len(everything)
    return whole and len(sizes) == workers and max(sizes) - min(sizes) <= 1


async def decided(stack: Stack, owners: list[str]) -> int:
    async with reader(stack.target, "referrals") as connection:
        count: int = await connection.fetchval("select count(*) from fact where owner = any($1)", owners)
        return count


async def more(stack: Stack, owners: list[str], before: int) -> bool:
    return await decided(stack, owners) > before


async def everybody_is_answered(stack: Stack) -> None:
    """A declaration on every topic is applied, whoever read it before."""
    codes = [*stack.target.directory.by_code]
    before = await decided(stack, codes)
    await asyncio.gather(*(send(stack, code, [hostile.sent(request(code))]) for code in codes))

    async def all_of_them() -> bool:
        return await decided(stack, codes) == before + len(codes)

    await eventually(all_of_them, TAKEN_OVER_WITHIN, "an answer on every topic")


def request(code: str) -> Declaration:
    return hostile.request(by=code, recipient=make.RECIPIENT if code != make.RECIPIENT else make.SENDER)
