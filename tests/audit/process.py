"""The audit service as a process of its own on the shared Kafka, writing to a log of its own."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from aiokafka import AIOKafkaProducer
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from contracts import topics
from deploy.embedded.ports import Ports
from deploy.embedded.stack import Stack
from deploy.embedded.state import CHECKOUT
from services.audit import keys
from tests.audit.support import ORIGIN, Log
from tests.support.wire import eventually, login

RECORD_BYTES = topics.INBOUND_RECORD_BYTES


@dataclass
class Service:
    """Starts and ends processes of the service; every one that is left is killed at the end."""

    stack: Stack
    log: Log
    folder: Path
    processes: list[asyncio.subprocess.Process] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)

    async def start(self) -> int:
        """Start another process; returns its number."""
        self.ports.append(Ports.free().audit)
        key = self.folder / "signing-key"
        self.log.signer = keys.ensure(key, ORIGIN)
        environment = self.stack.environment("audit") | {
            "RUTA_DATABASE_NAME": self.log.database,
            "RUTA_HTTP_PORT": str(self.ports[-1]),
            "RUTA_AUDIT_SIGNING_KEY_FILE": str(key),
            "RUTA_AUDIT_ORIGIN": ORIGIN,
            "RUTA_AUDIT_SEEN_FILE": str(self.folder / "seen"),
        }
        arguments = (sys.executable, "-m", "services.audit")
        with (self.folder / "log").open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *arguments, cwd=CHECKOUT, env=environment, stdout=output, stderr=output
            )
        self.processes.append(process)
        return len(self.processes) - 1

    async def end(self, number: int, how: signal.Signals = signal.SIGTERM) -> int:
        """End a process; returns its exit code."""
        self.processes[number].send_signal(how)
        return await self.processes[number].wait()

    async def missing(self, number: int) -> list[str]:
        """What a process says that it waits for."""
        async with httpx.AsyncClient() as client:
            try:
                answer = await client.get(f"http://127.0.0.1:{self.ports[number]}/readyz")
            except httpx.TransportError:
                return ["it does not answer"]
        found: list[str] = answer.json()["missing"]
        return found

    async def ready(self, number: int) -> None:
        """Wait until a process has nothing to wait for."""

        async def check() -> bool:
            return not await self.missing(number)

        await eventually(check, 60, "readiness")

    async def kinds(self, topic: str) -> list[tuple[str, int, int]]:
        """Kind, offset and last offset of every leaf of a topic, in the order of the log."""
        rows = await self.log.app.fetch(
            "select kind, record_offset, last_offset from entry where topic = $1 order by index", topic
        )
        return [tuple(row) for row in rows]

    async def logged(self, topic: str, count: int, within: float = 60) -> list[tuple[str, int, int]]:
        """The leaves of a topic once there are so many."""

        async def check() -> list[tuple[str, int, int]] | None:
            found = await self.kinds(topic)
            return found if len(found) >= count else None

        found: list[tuple[str, int, int]] = await eventually(check, within, f"leaf {count} of {topic}")
        return found


@dataclass
class Topics:
    """Inbound topics of a test, removed at its end. ``OPERATOR`` may write them."""

    stack: Stack
    client: AdminClient
    made: set[str] = field(default_factory=set)

    async def make(self, name: str | None = None, *, readable: bool = True) -> str:
        """Make a topic, by default a new one, by default one that the audit service may read."""
        name = name or topics.inbound(f"zz-{uuid4().hex[:8]}")
        if not readable:
            # The service's right covers every inbound topic; before the topic exists, so that nothing is read.
            await self._done(self.client.create_acls([_denial(name)]))
        config = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": str(RECORD_BYTES)}
        await self._done(self.client.create_topics([NewTopic(name, 1, 1, config=config)]))
        self.made.add(name)
        return name

    async def allow(self, name: str) -> None:
        """Let the audit service read a topic that it was not allowed to."""
        denial = _denial(name)
        await self._done(
            self.client.delete_acls(
                [
                    AclBindingFilter(
                        denial.restype, name, denial.resource_pattern_type, denial.principal, "*",
                        denial.operation, denial.permission_type,
                    )
                ]
            )
        )  # fmt: skip

    async def remove(self, name: str) -> None:
        """Delete a topic and wait until it is gone."""
        await self._done(self.client.delete_topics([name]))
        self.made.discard(name)

        async def gone() -> bool:
            listed = await asyncio.to_thread(self.client.list_topics, timeout=10)
            return name not in listed.topics

        await eventually(gone, what=f"deletion of {name}")

    async def _done(self, futures: dict[Any, Any]) -> None:
        for future in futures.values():
            await asyncio.to_thread(future.result, 15)


def _denial(topic: str) -> AclBinding:
    return AclBinding(
        ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, f"User:{topics.AUDIT}", "*",
        AclOperation.READ, AclPermissionType.DENY,
    )  # fmt: skip


async def send(stack: Stack, topic: str, records: Sequence[tuple[bytes | None, Any, bytes | None]]) -> None:
    """Send key, headers and value of these records to a topic, in order."""
    async with producer(stack) as made:
        pending = [await made.send(topic, value, key, headers=headers) for key, headers, value in records]
        await asyncio.gather(*pending)


@asynccontextmanager
async def producer(stack: Stack, transactional_id: str | None = None) -> AsyncIterator[AIOKafkaProducer]:
    """A producer that may write every topic."""
    made = AIOKafkaProducer(
        **login(stack, topics.OPERATOR), enable_idempotence=True, max_request_size=RECORD_BYTES, linger_ms=1,
        transactional_id=transactional_id,
    )  # fmt: skip
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def send_bad_header_name(stack: Stack, topic: str) -> None:
    """A record whose header name is not UTF-8, which no ordinary client can send."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.send_bad_header_name"),
        *(stack.addresses.kafka, topics.OPERATOR, topic),
        cwd=CHECKOUT,
        env={**os.environ, "AIOKAFKA_NO_EXTENSIONS": "1", "PASSWORD": stack.state.secret(f"kafka/{topics.OPERATOR}")},
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert await process.wait() == 0
