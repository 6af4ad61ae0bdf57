"""The running service on a real Kafka: one leaf per record, whatever arrives and whoever dies."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition

from contracts import topics
from deploy import provision_kafka
from deploy.embedded.stack import Stack
from services.audit.verify import Verdict
from tests.audit.process import RECORD_BYTES, Service, Topics, producer, send, send_bad_header_name
from tests.audit.support import Log, declared
from tests.support import hostile
from tests.support.wire import eventually

pytestmark = pytest.mark.anyio

PLAIN = (b"key", [("name", b"value")], b"{}")


@pytest.fixture
async def service(stack: Stack, log: Log, tmp_path: Path) -> AsyncIterator[Service]:
    made = Service(stack, log, tmp_path)
    yield made
    for process in made.processes:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture
async def ours(stack: Stack) -> AsyncIterator[Topics]:
    password = stack.state.secret(f"kafka/{topics.OPERATOR}")
    client = provision_kafka.admin_client(stack.addresses.kafka, topics.OPERATOR, password)
    made = Topics(stack, client)
    yield made
    for name in [*made.made]:
        await made.remove(name)


async def fits(service: Service) -> Verdict:
    verdict = await service.log.verify()
    assert verdict.misfit is None, str(verdict)
    return verdict


async def test_every_record_gets_its_leaf(stack: Stack, service: Service, ours: Topics) -> None:
    topic = await ours.make()
    oddities: list[tuple[bytes | None, object, bytes | None]] = [
        (None, [], b"{}"),
        (b"key", [], None),
        (b"", [("", b"")], b""),
        (b"key", [("ce_id", None)], b"{}"),
        (b"key", [("ce_id", b"\xff\xfe")], b"\xff"),
        (b"\xff" * 300, [("name", b"x" * 70_000)], b"\x00"),
        (b"key", [("same", b"1"), ("same", b"2")], b"{}"),
        (b"key", [], b"x" * 1024 * 1024),
        (b"key", [], b"x" * (RECORD_BYTES - 1000)),
    ]
    oddities += [(c.sent.key, c.sent.headers, c.sent.value) for c in hostile.cases()]
    first = await service.start()
    await send(stack, topic, oddities)
    await send_bad_header_name(stack, topic)
    await send(stack, topic, [PLAIN])
    count = len(oddities) + 2
    found = await service.logged(topic, count)
    assert [(offset, last) for _, offset, last in found] == [(n, n) for n in range(count)]
    await service.ready(first)
    await fits(service)
    # However it is written: the rest of it is not ASCII.
    assert hostile.CANARY.partition("ó")[0] not in (service.folder / "log").read_text()
    assert await service.end(first) == 0


async def test_killed_at_any_moment_it_leaves_one_leaf_per_record(stack: Stack, service: Service, ours: Topics) -> None:
    topic = await ours.make()
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    total = 6_000
    made = declared(by=topics.owner(topic) or "")

    async def publish() -> None:
        async with producer(stack) as sending:
            for n in range(total):
                await sending.send(topic, made.value, made.key, headers=[*made.headers, ("n", b"%d" % n)])
                if n % 50 == 0:
                    await asyncio.sleep(0.05)

    publishing = asyncio.ensure_future(publish())
    for _ in range(5):
        number = await service.start()
        before = len(await service.kinds(topic))
        await service.logged(topic, min(before + 1, total))
        await asyncio.sleep(dice.random() * 0.3)
        assert await service.end(number, signal.SIGKILL) == -signal.SIGKILL
    await publishing
    await service.start()
    found = await service.logged(topic, total)
    assert [(offset, last) for _, offset, last in found] == [(n, n) for n in range(total)]
    assert [kind for kind, _, _ in found] == ["event"] + ["duplicate"] * (total - 1)
    await fits(service)


async def test_a_standby_takes_over(stack: Stack, service: Service, ours: Topics) -> None:
    topic = await ours.make()
    await send(stack, topic, [PLAIN])
    first = await service.start()
    await service.logged(topic, 1)
    second = await service.start()
    await service.ready(first)
    while (said := await service.missing(second)) == ["it does not answer"]:
        await asyncio.sleep(0.1)
    assert said == ["another process is the sequencer"]
    await service.end(first, signal.SIGKILL)
    await send(stack, topic, [PLAIN, PLAIN])
    assert len(await service.logged(topic, 3)) == 3
    await service.ready(second)
    await fits(service)


async def test_a_new_topic_is_read_from_its_first_record_while_running(
    stack: Stack, service: Service, ours: Topics
) -> None:
    first = await service.start()
    await service.ready(first)
    topic = await ours.make(readable=False)
    await send(stack, topic, [PLAIN, PLAIN])
    other = await ours.make()
    await send(stack, other, [PLAIN])
    assert len(await service.logged(other, 1)) == 1
    assert await service.kinds(topic) == []
    await ours.allow(topic)
    assert await service.logged(topic, 2) == [("event", 0, 0), ("event", 1, 1)]
    await fits(service)


async def test_what_kafka_dropped_unread_is_a_gap(stack: Stack, service: Service, ours: Topics) -> None:
    partly, wholly = await ours.make(), await ours.make()
    for topic, count, until in ((partly, 5, 3), (wholly, 4, 4)):
        await send(stack, topic, [PLAIN] * count)
        dropped = ours.client.delete_records([TopicPartition(topic, 0, until)])
        await asyncio.to_thread(next(iter(dropped.values())).result, 15)
    first = await service.start()
    assert await service.logged(partly, 3) == [("gap", 0, 2), ("event", 3, 3), ("event", 4, 4)]
    assert await service.logged(wholly, 1) == [("gap", 0, 3)]
    await service.end(first)
    await send(stack, wholly, [PLAIN] * 3)
    dropped = ours.client.delete_records([TopicPartition(wholly, 0, 6)])
    await asyncio.to_thread(next(iter(dropped.values())).result, 15)
    await service.start()
    assert (await service.logged(wholly, 3))[1:] == [("gap", 4, 5), ("event", 6, 6)]
    await fits(service)


async def test_what_kafka_does_not_have_is_a_gap(stack: Stack, service: Service, ours: Topics) -> None:
    """The mark that ends a transaction takes an offset and is no record. Nobody but the operator could set one; a
    second transaction begins behind that of the first."""
    topic = await ours.make()
    async with producer(stack, transactional_id=f"test-{topic}") as sending:
        for _ in range(2):
            async with sending.transaction():
                await sending.send(topic, b"{}", b"key")
    await service.start()
    assert await service.logged(topic, 3) == [("event", 0, 0), ("gap", 1, 1), ("event", 2, 2)]
    await fits(service)


async def test_a_topic_made_anew_under_its_old_name_is_another_topic(
    stack: Stack, service: Service, ours: Topics
) -> None:
    topic = await ours.make()
    await send(stack, topic, [PLAIN, PLAIN])
    await service.start()
    await service.logged(topic, 2)
    await ours.remove(topic)
    await asyncio.sleep(5)
    await ours.make(topic)
    await send(stack, topic, [PLAIN])
    assert await service.logged(topic, 3) == [("event", 0, 0), ("event", 1, 1), ("event", 0, 0)]
    await fits(service)


async def test_a_log_restored_from_a_backup_is_not_continued(stack: Stack, service: Service, ours: Topics) -> None:
    """What is left fits together perfectly, and is shorter than what was signed."""
    topic = await ours.make()
    await send(stack, topic, [PLAIN])
    first, seen = await service.start(), service.folder / "seen"
    await service.logged(topic, 1)
    kept = await service.log.app.fetchval("select first_index + n from batch order by 1 desc limit 1")
    await send(stack, topic, [PLAIN])
    await service.logged(topic, 2)

    async def noted() -> bool:
        newest = await service.log.app.fetchval("select note from checkpoint order by size desc limit 1")
        return seen.exists() and seen.read_text("utf-8") == newest

    await eventually(noted, what="the newest checkpoint in the file")
    await service.end(first)
    tables = ("batch where first_index", "span where first_index", "entry where index", "sealed where index")
    await service.log.break_it(*(f"delete from {t} >= {kept}" for t in tables))
    await service.log.break_it(f"delete from checkpoint where size > {kept}")
    assert (await service.log.verify()).misfit is None
    assert (await service.log.verify(seen=seen.read_text())).misfit is not None
    await service.processes[await service.start()].wait()
    assert service.processes[-1].returncode == 1
    assert len(await service.kinds(topic)) == 1


async def test_a_damaged_log_is_not_continued(stack: Stack, service: Service, ours: Topics) -> None:
    topic = await ours.make()
    await send(stack, topic, [PLAIN])
    first = await service.start()
    await service.logged(topic, 1)
    await service.end(first)
    await service.log.break_it("update batch set root = sha256(root)")
    await send(stack, topic, [PLAIN])
    await service.processes[await service.start()].wait()
    assert service.processes[-1].returncode == 1
    assert len(await service.kinds(topic)) == 1
    assert "NotOurs" in (service.folder / "log").read_text()
