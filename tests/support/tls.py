"""Kafka and PostgreSQL that take TLS only, with certificates of an authority made for the test."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from deploy.embedded import jars
from deploy.embedded.account import needed_account
from deploy.embedded.kafka import Kafka
from deploy.embedded.ports import Ports
from deploy.embedded.postgres import Postgres
from deploy.embedded.state import State
from deploy.embedded.supervisor import Supervisor
from deploy.kafka_node import Certificate

_SSL_REQUEST = (8).to_bytes(4) + (80877103).to_bytes(4)  # PostgreSQL's protocol, section 54.7


@dataclass(frozen=True)
class Certified:
    """An authority and what it vouches for: one certificate for 127.0.0.1."""

    folder: Path
    name: str = "127.0.0.1"

    def __post_init__(self) -> None:
        authority = trustme.CA()
        made = authority.issue_cert(self.name)
        authority.cert_pem.write_to_path(str(self.ca_file))
        key = load_pem_private_key(made.private_key_pem.bytes(), None)
        chain = b"".join(part.bytes() for part in made.cert_chain_pems)
        # Kafka reads PKCS #8 only.
        self.own.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + chain)

    @property
    def ca_file(self) -> Path:
        return self.folder / f"authority-{self.name}.pem"

    @property
    def own(self) -> Path:
        return self.folder / f"own-{self.name}.pem"

    @asynccontextmanager
    async def servers(self, state: State, ports: Ports) -> AsyncIterator[None]:
        """Both servers. PostgreSQL's build has no TLS, so its port is held by a front that speaks it."""
        supervisor = Supervisor(state.logs)
        certificate = Certificate(str(self.own), str(self.ca_file))
        paths = await jars.fetched(lambda progress: None)
        kafka = Kafka(state, ports.kafka, ports.kafka_controller, paths, certificate=certificate)
        behind = Ports.free().postgres
        postgres = Postgres(state, behind, needed_account())
        try:
            await asyncio.gather(kafka.prepare(), postgres.prepare())
            supervisor.start(kafka.command())
            supervisor.start(postgres.command())
            async with asyncio.timeout(60), self._front(ports.postgres, behind):
                await asyncio.gather(supervisor.answered("kafka"), supervisor.answered("postgres"))
            async with self._front(ports.postgres, behind):
                yield
        finally:
            await supervisor.stop("kafka", "postgres", grace=5)

    @asynccontextmanager
    async def _front(self, port: int, behind: int) -> AsyncIterator[None]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.own)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError, asyncio.IncompleteReadError):
                if await reader.readexactly(8) == _SSL_REQUEST:  # whoever speaks in the clear is not answered
                    writer.write(b"S")
                    await writer.start_tls(context)
                    server = await asyncio.open_connection("127.0.0.1", behind)
                    await asyncio.gather(_pass(reader, server[1]), _pass(server[0], writer))
            writer.close()

        listening = await asyncio.start_server(serve, "127.0.0.1", port)
        async with listening:
            yield


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while content := await reader.read(65536):
            writer.write(content)
            await writer.drain()
    finally:
        writer.close()
