"""The stream behind a live inbox: resumed where it was cut, bounded, one look for all who watch."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from deploy.demo.stories import Story
from deploy.embedded.stack import Stack
from services.notifications import live
from services.notifications.live import Live, Mark
from tests.support.wire import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]


@asynccontextmanager
async def streaming(notifications: str, institution: str, **headers: str) -> AsyncIterator[AsyncIterator[str]]:
    """The lines of an event stream."""
    path = f"/v1/inbox/{institution}/events"
    async with (
        httpx.AsyncClient(base_url=notifications, timeout=60) as client,
        client.stream("GET", path, headers=headers) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield answer.aiter_lines()


async def ids(lines: AsyncIterator[str], count: int) -> list[int]:
    found: list[int] = []
    async with asyncio.timeout(60):
        async for line in lines:
            if line.startswith("id: "):
                found.append(int(line.removeprefix("id: ")))
            if len(found) == count:
                return found
    raise AssertionError("the stream ended")


async def test_a_stream_is_resumed_where_it_was_cut(
    system: Stack, notifications: str, stories: tuple[Story, ...]
) -> None:
    code = stories[4].sender
    async with streaming(notifications, code, **{"last-event-id": "0"}) as lines:
        everything = await ids(lines, 2)
    assert everything == sorted(everything)
    async with streaming(notifications, code, **{"last-event-id": str(everything[0])}) as lines:
        assert await ids(lines, 1) == everything[1:]


async def test_streams_are_refused_before_they_begin(notifications: str) -> None:
    async with httpx.AsyncClient(base_url=notifications) as client:
        assert (await client.get("/v1/inbox/nobody/events")).status_code == 404
        assert (await client.get("/v1/inbox/NOBODY/events")).status_code == 422
        answer = await client.get("/v1/inbox/icbf-santander/events", headers={"last-event-id": "x"})
        assert answer.status_code == 422


class Pool:
    """In place of the database: one inbox, and how often it was looked at."""

    looks = 0
    moving = True

    async def fetch(self, _: str, watched: list[str], __: int) -> list[dict[str, Any]]:
        self.looks += 1
        return [{"recipient": code, "newest": self.looks if self.moving else 0, "unread": 1} for code in watched]


async def test_one_look_serves_all_and_nobody_is_no_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "EVERY", 0.01)
    pool: Any = Pool()
    hub = Live(pool)
    running = asyncio.create_task(hub.run())
    try:
        with hub.watching("a"), hub.watching("a"), hub.watching("b"):
            first = await asyncio.gather(*(hub.other_than(code, None) for code in ("a", "a", "b")))
            assert all(isinstance(mark, Mark) for mark in first)
            assert first[0] is not None
            later = await hub.other_than("a", first[0])
            assert later is not None
            assert later.newest > first[0].newest
        looked = pool.looks
        await eventually(lambda: asyncio.sleep(0.1, True))
        assert pool.looks <= looked + 1
        pool.moving = False
        with hub.watching("a"):
            await eventually(lambda: asyncio.sleep(0, hub._marks.get("a") == Mark(0, 1)))
            waiting = asyncio.create_task(hub.other_than("a", Mark(0, 1)))
            await asyncio.sleep(0.1)
            assert not waiting.done()
            running.cancel()
            async with asyncio.timeout(30):
                assert await waiting is None
    finally:
        running.cancel()


async def test_streams_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MAX_STREAMS", 2)
    nothing: Any = None
    hub = Live(nothing)
    with hub.watching("a"), hub.watching("b"):
        assert hub.full
    assert not hub.full


async def test_nobody_begins_with_what_was_true_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "EVERY", 0.01)
    pool: Any = Pool()
    hub = Live(pool)
    running = asyncio.create_task(hub.run())
    try:
        with hub.watching("a"):
            before = await hub.other_than("a", None)
        looked = pool.looks
        with hub.watching("a"):
            now = await hub.other_than("a", None)
        assert before is not None
        assert now is not None
        assert now.newest > looked >= before.newest
    finally:
        running.cancel()
