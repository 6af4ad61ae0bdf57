"""A mail sink: takes every message over SMTP and files it in a Maildir; delivers nothing anywhere.

    python -m deploy.embedded.mail --port 19025 --directory FOLDER

A message is acknowledged (250) when its file is whole and in place; on a full disk the sender is asked to come again
(452). It does not wait for the disk: a real relay has its own, and two syncs per mail beside PostgreSQL's commits were
a fifth of what the slowest alerts waited for.
"""

import argparse
import asyncio
import socket
import time
import uuid
from pathlib import Path

import uvloop
from aiosmtpd.smtp import SMTP, Envelope, Session

LARGEST_MESSAGE = 10 * 2**20  # bytes


class MaildirHandler:
    """Files messages as `new/<time>.<uuid>.<host>`, with the envelope as X-MailFrom and X-RcptTo headers on top."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        for name in ("tmp", "new", "cur"):
            (directory / name).mkdir(parents=True, exist_ok=True)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 (aiosmtpd's name)
        try:
            self._file(envelope)
        except OSError:  # aiosmtpd would refuse the message for good
            return "452 4.3.1 insufficient storage"
        return "250 OK"

    def _file(self, envelope: Envelope) -> None:
        content = envelope.content
        body = content if isinstance(content, bytes) else (content or "").encode()
        head = f"X-MailFrom: {envelope.mail_from}\r\nX-RcptTo: {', '.join(envelope.rcpt_tos)}\r\n"
        name = f"{time.time_ns()}.{uuid.uuid4().hex}.{socket.gethostname()}"
        temporary = self._directory / "tmp" / name
        try:
            with temporary.open("xb") as file:
                file.write(head.encode() + body)
            temporary.rename(self._directory / "new" / name)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise


async def serve(port: int, directory: Path) -> None:
    """Listen on loopback until cancelled. Raises OSError when the port is taken."""
    handler = MaildirHandler(directory)

    def protocol() -> SMTP:
        return SMTP(handler, hostname="ruta.invalid", enable_SMTPUTF8=True, data_size_limit=LARGEST_MESSAGE)

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


async def answers(port: int) -> bool:
    """Whether an SMTP server greets on this port of loopback."""
    async with asyncio.timeout(3):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            greeting = await reader.readline()
            writer.write(b"QUIT\r\n")
            return greeting.startswith(b"220 ")
        finally:
            writer.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Take every message over SMTP and keep it in a Maildir.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--directory", type=Path, required=True)
    options = parser.parse_args()
    uvloop.run(serve(options.port, options.directory))
