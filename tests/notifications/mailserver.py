"""A mail server whose answers a test writes: real SMTP on loopback, one behaviour for each message in turn."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default

from deploy.embedded.ports import Ports


@dataclass
class MailServer:
    """``script`` holds what to do with the next messages; afterwards every message is taken.

    ``mail:530``, ``rcpt:451`` and ``data:554 5.7.1`` answer that command with that code, ``end:451`` the end of the
    message; ``hang`` stops answering after DATA, ``drop`` cuts the connection there, ``lost`` takes the message and
    cuts the connection before its answer; ``wait`` goes on when ``awaited`` is set.
    """

    port: int
    script: list[str] = field(default_factory=list)
    greeting: bytes = b"220 test ready\r\n"
    tls: ssl.SSLContext | None = None
    taken: list[bytes] = field(default_factory=list)
    awaited: asyncio.Event = field(default_factory=asyncio.Event)
    attempts: int = 0
    connections: int = 0
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self.tls)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            for writer in list(self._open):
                writer.transport.abort()
            self._server = None

    def ids(self) -> list[str]:
        """The Message-ID of every message taken, in order, repetitions included."""
        return [str(message_from_bytes(raw, policy=default)["Message-ID"]) for raw in self.taken]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        try:
            writer.write(self.greeting)
            await self._talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        plan = ""
        while line := await reader.readline():
            match line[:4].upper():
                case b"EHLO" | b"HELO":
                    writer.write(b"250-test\r\n250 AUTH PLAIN\r\n")
                case b"AUTH":
                    writer.write(b"235 welcome\r\n")
                case b"MAIL":
                    self.attempts += 1
                    plan = self.script.pop(0) if self.script else ""
                    writer.write(_reply(plan, "mail", b"250 OK\r\n"))
                case b"RCPT":
                    writer.write(_reply(plan, "rcpt", b"250 OK\r\n"))
                case b"DATA":
                    writer.write(_reply(plan, "data", b"354 go on\r\n"))
                    if plan.startswith("data"):
                        continue
                    if plan == "hang":
                        await reader.read()  # until the client has had enough
                        return
                    if plan == "wait":
                        await self.awaited.wait()
                    if plan == "drop":
                        return
                    content = await reader.readuntil(b"\r\n.\r\n")
                    if not plan.startswith("end"):
                        self.taken.append(content)
                    if plan == "lost":
                        return
                    writer.write(_reply(plan, "end", b"250 taken\r\n"))
                case b"QUIT":
                    writer.write(b"221 bye\r\n")
                    return
                case _:
                    writer.write(b"250 OK\r\n")


def _reply(plan: str, stage: str, usual: bytes) -> bytes:
    planned, _, code = plan.partition(":")
    return f"{code} as the test says\r\n".encode() if planned == stage else usual


@asynccontextmanager
async def running(tls: ssl.SSLContext | None = None) -> AsyncIterator[MailServer]:
    """A mail server on a free port, with implicit TLS if a context is given."""
    server = MailServer(Ports.free().smtp, tls=tls)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
