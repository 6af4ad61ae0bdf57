"""A TCP proxy on loopback that can be as bad as a network: gone, silent, half open, slow.

async with Proxy(target_port) as proxy:
    proxy.be(Weather.SILENT)
"""

import asyncio
import contextlib
from enum import StrEnum
from types import TracebackType
from typing import Self

_CHUNK = 64 * 1024
SLOW_SECONDS = 0.1
"""What each piece of a stream is late in SLOW weather."""


class Weather(StrEnum):
    """What becomes of a stream.

    GONE: connections end and no new one is taken. SILENT: they stay open and nothing passes, in either direction.
    HALF_OPEN: what clients send arrives, no answer comes back. SLOW: everything is late.
    """

    CLEAR = "clear"
    GONE = "gone"
    SILENT = "silent"
    HALF_OPEN = "half-open"
    SLOW = "slow"


class Proxy:
    """Forwards from ``port`` to ``target`` on 127.0.0.1, according to the weather."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.weather = Weather.CLEAR
        self._changed = asyncio.Event()
        self._streams: set[asyncio.StreamWriter] = set()

    port: int
    """Where clients come; set on entry."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self._cut()

    def be(self, weather: Weather) -> None:
        """From now on."""
        self.weather = weather
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        if weather is Weather.GONE:
            self._cut()

    def _cut(self) -> None:
        for stream in self._streams:
            stream.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.weather is Weather.GONE:
            writer.transport.abort()
            return
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._streams |= {writer, there_writer}
        ways = (
            asyncio.ensure_future(self._forward(reader, there_writer, answers=False)),
            asyncio.ensure_future(self._forward(there_reader, writer, answers=True)),
        )
        await asyncio.wait(ways)
        self._streams -= {writer, there_writer}

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(_CHUNK):
                while self.weather is Weather.SILENT or (answers and self.weather is Weather.HALF_OPEN):
                    await self._changed.wait()
                if self.weather is Weather.SLOW:
                    await asyncio.sleep(SLOW_SECONDS)
                writer.write(piece)
                await writer.drain()
        writer.transport.abort()
