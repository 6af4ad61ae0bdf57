"""What a process does beside its work."""

import asyncio
import subprocess
import sys

import asyncpg
import pytest

from services.runtime.process import every

pytestmark = pytest.mark.anyio


async def test_what_is_done_now_and_then_is_tried_again_after_the_database_failed_it() -> None:
    failures: list[Exception] = [OSError(), asyncpg.ConnectionDoesNotExistError(), asyncpg.InterfaceError("closed")]
    done = asyncio.Event()

    async def work() -> None:
        if failures:
            raise failures.pop()
        done.set()

    job = asyncio.ensure_future(every(0, "work", work)())
    async with asyncio.timeout(10):
        await done.wait()
    job.cancel()


async def test_a_mistake_of_ours_in_it_ends_the_process() -> None:
    async def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await every(0, "work", work)()


HANGS = """
import asyncio
from contextlib import asynccontextmanager
from services.runtime import process

process.EXIT_WITHIN = 100.0

async def fails():
    raise OSError

@asynccontextmanager
async def service():
    try:
        yield [fails]
    finally:
        await asyncio.sleep(60)

process.run("test", service)
"""


def test_a_failed_process_does_not_wait_for_what_cannot_be_closed() -> None:
    assert subprocess.run([sys.executable, "-c", HANGS], check=False, capture_output=True, timeout=50).returncode == 1
