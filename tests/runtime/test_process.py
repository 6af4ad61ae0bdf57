"""What a process does beside its work."""

import asyncio

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
