"""Inboxes as they change: server-sent events. One look at the database serves everybody who watches.

The stream is resumable: an event's id is its alert's position, and who comes back with ``Last-Event-ID`` gets what
was missed. While PostgreSQL is away streams stay open and go on when it is back.
"""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import asyncpg
from fastapi import Depends, FastAPI, Header, HTTPException, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from services.notifications import inbox
from services.notifications.inbox import Item
from services.runtime import database, sql, web
from services.runtime.pages import site

log = logging.getLogger("ruta.live")
_SQL = sql.load(Path(__file__).parent / "sql" / "read.sql")

EVERY = 0.5
"""Seconds between two looks while somebody watches."""

MAX_STREAMS = 500
"""Open streams of one process; a browser has one per inbox that is shown."""

_AT_ONCE = 100
_RETRY_MILLISECONDS = 2_000


@dataclass(frozen=True, slots=True)
class Mark:
    """An inbox at a moment: the position of its newest alert, and how many are unread, as far as they are counted."""

    newest: int
    unread: int


class Live:
    """Keeps the marks of the inboxes that are watched."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._watchers: Counter[str] = Counter()
        self._marks: dict[str, Mark] = {}
        self._changed = asyncio.Event()
        self._ended = False

    async def run(self) -> None:
        """Look for ever; what cannot be seen now is seen later. All streams end with it."""
        try:
            while True:
                if self._watchers:
                    await self._look()
                await asyncio.sleep(EVERY)
        finally:
            self._ended = True
            self._changed.set()

    async def _look(self) -> None:
        try:
            rows = await self._pool.fetch(_SQL["marks"], list(self._watchers), inbox.MOST_COUNTED + 1)
        except database.AWAY as error:
            log.warning("inboxes cannot be read", extra={"reason": type(error).__name__})
            return
        found = {row["recipient"]: Mark(row["newest"], row["unread"]) for row in rows}
        # Who left meanwhile would leave a mark behind that nobody keeps fresh.
        marks = {code: mark for code, mark in found.items() if code in self._watchers}
        if marks != self._marks:
            self._marks = marks
            self._changed.set()
            self._changed = asyncio.Event()

    @property
    def full(self) -> bool:
        """Whether no further stream may begin."""
        return self._watchers.total() >= MAX_STREAMS

    @contextmanager
    def watching(self, institution: str) -> Iterator[None]:
        """Keep the marks of this inbox fresh."""
        self._watchers[institution] += 1
        try:
            yield
        finally:
            self._watchers[institution] -= 1
            if not self._watchers[institution]:
                del self._watchers[institution]
                self._marks.pop(institution, None)

    async def other_than(self, institution: str, seen: Mark | None) -> Mark | None:
        """The mark of a watched inbox as soon as it is known and is not ``seen``; None at the end."""
        while not self._ended:
            mark = self._marks.get(institution)
            if mark is not None and mark != seen:
                return mark
            await self._changed.wait()
        return None


def add(app: FastAPI, pool: asyncpg.Pool, live: Live, members: site.Members) -> None:
    """Add the stream to the service's interface."""

    def watchable(institution: web.Code) -> str:
        # Before the stream begins: afterwards there is no status left to answer with.
        if institution not in members():
            raise HTTPException(404, "no such institution")
        if live.full:
            raise HTTPException(503, "too many open streams", {"retry-after": "10"})
        return institution

    @app.get("/v1/inbox/{institution}/events", response_class=EventSourceResponse)
    async def events(
        institution: Annotated[str, Depends(watchable)],
        after: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
        last_event_id: Annotated[str | None, Header(pattern=r"^[0-9]{1,18}$")] = None,
    ) -> AsyncIterator[ServerSentEvent]:
        """``alert`` with an inbox item as JSON for every alert after ``after`` or from now on, its position as id;
        ``unread`` with the number of unread ones, counted up to 1,000, whenever it changes.
        """
        position = after if last_event_id is None else int(last_event_id)
        with live.watching(institution):
            # Said at once: whoever waits for it knows that the stream stands.
            yield ServerSentEvent(comment="ruta", retry=_RETRY_MILLISECONDS)
            seen: Mark | None = None
            while (mark := await live.other_than(institution, seen)) is not None:
                if position is None:
                    position = mark.newest
                if mark.newest > position:
                    async for row in _since(pool, institution, position):
                        position = row["position"]
                        yield ServerSentEvent(event="alert", id=str(position), data=Item(**inbox.item(row, members())))
                if seen is None or mark.unread != seen.unread:
                    yield ServerSentEvent(event="unread", raw_data=json.dumps({"unread": mark.unread}))
                seen = mark


async def _since(pool: asyncpg.Pool, institution: str, position: int) -> AsyncIterator[asyncpg.Record]:
    while True:
        try:
            rows = await pool.fetch(_SQL["inbox_since"], institution, position, _AT_ONCE)
        except database.AWAY:
            await asyncio.sleep(EVERY)
            continue
        for row in rows:
            yield row
        if len(rows) < _AT_ONCE:
            return
        position = rows[-1]["position"]
