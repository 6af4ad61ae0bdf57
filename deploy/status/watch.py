"""Looks at every process every few seconds and remembers the last quarter of an hour."""

import asyncio
from collections import deque
from collections.abc import Mapping
from datetime import timedelta

import httpx

from deploy.status.readings import SILENT, Look, Reading, read
from services.runtime import clock

EVERY = 5.0
"""Seconds between two looks."""

KEPT = timedelta(minutes=15)

_ANSWERS_WITHIN = 4.0


class Watch:
    """The looks of the last quarter of an hour, oldest first."""

    def __init__(self, processes: Mapping[str, str]) -> None:
        self._processes = processes
        self.looks: deque[Look] = deque()

    async def run(self) -> None:
        """Look for ever."""
        async with httpx.AsyncClient(timeout=_ANSWERS_WITHIN) as client:
            while True:
                await self.look(client)
                await asyncio.sleep(EVERY)

    async def look(self, client: httpx.AsyncClient) -> None:
        """Look once and forget what is too old."""
        names = list(self._processes)
        found = await asyncio.gather(*(_ask(client, self._processes[name]) for name in names))
        now = clock.now()
        self.looks.append(Look(now, dict(zip(names, found, strict=True))))
        while self.looks[0].at < now - KEPT:
            self.looks.popleft()


async def _ask(client: httpx.AsyncClient, url: str) -> Reading:
    try:
        readiness = await client.get(f"{url}/readyz")  # 503 while it waits for something, with the same content
        metrics = await client.get(f"{url}/metrics")
        return read(readiness.json(), metrics.raise_for_status().text)
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return SILENT
