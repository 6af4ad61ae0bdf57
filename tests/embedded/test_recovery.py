"""Faults: killed servers come back by themselves, data stays, and nothing outlives a killed parent."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import asyncpg
import psutil
import pytest

from deploy.embedded.ports import Ports
from deploy.embedded.stack import Stack
from deploy.embedded.state import CHECKOUT
from deploy.provision import administrator, kafka_plan
from tests.support.wire import eventually

pytestmark = pytest.mark.anyio

_PARENT = """
import asyncio, sys
from pathlib import Path
from deploy.embedded.ports import Ports
from deploy.embedded.stack import Stack
async def main():
    async with Stack(Path(sys.argv[1]), Ports.free(), directory_file=Path(sys.argv[2])):
        print("ready", flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


async def kill_and_wait(stack: Stack, name: str) -> None:
    first = stack.pid(name)
    stack.kill(name)
    await stack.wait_ready(name, 60)
    assert stack.pid(name) not in (first, None)


async def test_kafka_comes_back_with_its_topics(own_stack: Stack) -> None:
    await kill_and_wait(own_stack, "kafka")
    assert not await asyncio.to_thread(kafka_plan, own_stack.target)


async def test_postgres_comes_back_with_its_data(own_stack: Stack) -> None:
    connection = await administrator(own_stack.target)
    await connection.execute("CREATE TABLE IF NOT EXISTS public.kept (x int)")
    await connection.execute("INSERT INTO public.kept VALUES (1)")
    # A session in the middle of a statement keeps the data folder for a moment after the postmaster is gone.
    busy = asyncio.create_task(connection.execute("SELECT pg_sleep(60)"))
    await asyncio.sleep(0.05)
    await kill_and_wait(own_stack, "postgres")
    with pytest.raises((asyncpg.PostgresError, OSError)):
        await busy
    connection.terminate()
    again = await administrator(own_stack.target)
    try:
        assert await again.fetchval("SELECT count(*) FROM public.kept") >= 1
        await again.execute("DROP TABLE public.kept")
    finally:
        await again.close()


async def test_a_second_start_keeps_everything(session_folder: Path, directory_file: Path) -> None:
    root = session_folder / "twice"
    async with Stack(root, Ports.free(), directory_file=directory_file) as stack:
        connection = await administrator(stack.target)
        await connection.execute("CREATE TABLE public.kept AS SELECT 42 AS x")
        await connection.close()
        password = stack.state.secret("kafka/alfa")
    began = time.monotonic()
    async with Stack(root, Ports.free(), directory_file=directory_file) as stack:
        print(f"second start: {time.monotonic() - began:.1f} s")
        connection = await administrator(stack.target)
        assert await connection.fetchval("SELECT x FROM public.kept") == 42
        await connection.close()
        assert stack.state.secret("kafka/alfa") == password
        began = time.monotonic()
    print(f"stop: {time.monotonic() - began:.1f} s")
    assert not (root / "stack.json").exists()


async def test_a_first_start_that_was_cut_off_is_made_anew(session_folder: Path, directory_file: Path) -> None:
    root = session_folder / "half"
    for half in ("kafka/data", "postgres/data"):
        (root / half).mkdir(parents=True)
        (root / half / "half-written").touch()
    async with Stack(root, Ports.free(), directory_file=directory_file) as stack:
        assert not await asyncio.to_thread(kafka_plan, stack.target)


@pytest.mark.parametrize("when", ["running", "starting"])
async def test_nothing_is_left_after_the_parent_was_killed(
    when: str, session_folder: Path, directory_file: Path
) -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _PARENT, str(session_folder / "killed"), str(directory_file)),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )
    assert parent.stdout is not None

    async def children() -> list[psutil.Process]:
        found: list[psutil.Process] = psutil.Process(parent.pid).children(recursive=True)
        return found

    if when == "running":
        async with asyncio.timeout(120):
            assert await parent.stdout.readline() == b"ready\n"
    family = await eventually(children, 60, "the first child")
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    _, left = await asyncio.to_thread(psutil.wait_procs, family, 60)
    assert [process for process in left if process.status() != psutil.STATUS_ZOMBIE] == []
