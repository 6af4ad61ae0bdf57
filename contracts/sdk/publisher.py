"""Sends an institution's declarations and tells what became of them."""

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from pydantic import ValidationError

from contracts import codec, topics
from contracts.codec import Declaration, Record
from contracts.declarations import BODIES
from contracts.envelope import Flaw
from contracts.facts import Fact
from contracts.sdk.connection import Connection, started, translated
from contracts.sdk.errors import NotADeclaration, OutcomeUnknown
from contracts.sdk.outcomes import Outcomes

LEFT_WITHIN = 10.0
"""Seconds. Whoever awaited what is given up then has OutcomeUnknown, and sends it again."""


class Publisher:
    """One institution's way to declare. Use it as an asynchronous context manager.

    ``user`` is the Kafka user, the institution's code unless given; ``ca_file`` turns TLS on and is required for a
    broker on another machine. Raises UnsafeConnection or SdkError for the addresses; entering raises NotReachable,
    LoginRefused or NotPermitted. Leaving waits until the cluster has what was sent, but no longer than LEFT_WITHIN;
    what it has not acknowledged then is given up.
    """

    def __init__(
        self,
        institution: str,
        *,
        bootstrap: str,
        password: str,
        user: str | None = None,
        ca_file: Path | None = None,
    ) -> None:
        self.institution = institution
        self._connection = Connection(bootstrap, user or institution, password, ca_file)
        self._outcomes = Outcomes(institution, self._connection)
        self._closing = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opened:
            # Idempotent and acknowledged by all replicas: the client's own retries neither lose nor repeat.
            # No lingering: a person often waits for the answer; a batch still fills while one is in flight.
            made = AIOKafkaProducer(**self._connection.options(), enable_idempotence=True, acks="all", linger_ms=0)
            self._producer = await opened.enter_async_context(started(made, self._connection))
            opened.push_async_callback(self._give_up)
            await opened.enter_async_context(self._outcomes)
            self._closing = opened.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._closing.aclose()

    async def _give_up(self) -> None:
        try:
            async with asyncio.timeout(LEFT_WITHIN):
                await self._producer.flush()
        except TimeoutError:
            # The client's own end waits for its sender, which tries for ever, and told to stop goes on with what is
            # under way.
            sender = self._producer._sender.sender_task
            while not sender.done():
                sender.cancel()
                await asyncio.sleep(0)

    async def send(self, declaration: Declaration, timeout: float = 30) -> UUID:  # noqa: ASYNC109 - part of the error
        """Send it and return its event id once the cluster has it safely.

        Sending the same declaration again is harmless: its id and bytes are the same, so Ruta takes it once and
        answers the second copy as a duplicate. Do so after OutcomeUnknown. Raises NotADeclaration (nothing was
        sent), OutcomeUnknown after ``timeout`` seconds (perhaps sent, and the client goes on trying) and NotPermitted.
        """
        key, headers, value = encode(declaration, self.institution)
        event_id = declaration.envelope.id
        self._outcomes.expect(event_id)
        try:
            async with asyncio.timeout(timeout):
                await self._producer.send_and_wait(topics.inbound(self.institution), value, key, headers=headers)
        except TopicAuthorizationFailedError as error:
            raise translated(error) from error
        except (KafkaError, TimeoutError) as error:
            raise OutcomeUnknown(
                f"no acknowledgement ({type(error).__name__}): send the same declaration again"
            ) from error
        return event_id

    async def outcome(self, event_id: UUID, timeout: float = 30) -> Fact:  # noqa: ASYNC109 - part of the error
        """What Ruta decided about the declaration: the fact in our ``out`` topic that settles it.

        ``fact.outcome`` is applied, refused, duplicate (``fact.data.first`` answered it before) or conflict. As long as
        there is none of these, it is the newest that is quarantined (mend it and send it again, with the same id) or
        parked; where Ruta failed itself, ``fact.provisional`` says that the real one follows: ask again later.

        Works for declarations of an earlier process too, as long as the topic keeps their outcome (14 days); asking
        may be cancelled and repeated. Raises OutcomeUnknown after ``timeout`` seconds and when the publisher is closed:
        then send the SAME declaration again, with its id, and ask again. Raises NotReachable, LoginRefused,
        NotPermitted or SdkError when the topic cannot be read: then ask again with a new publisher.
        """
        return await self._outcomes.wait(event_id, timeout)


def encode(declaration: Declaration, institution: str) -> tuple[bytes, list[tuple[str, bytes]], bytes]:
    """Key, headers and value as they are sent, read back first as Ruta will read them. Raises NotADeclaration."""
    try:
        key, headers, value = codec.encode(declaration)
    except ValidationError as error:
        # No cause is chained: it would repeat what stood in the fields.
        raise _told(codec.flaw_of(error, BODIES[declaration.envelope.verb])) from None
    except ValueError:
        raise NotADeclaration("field-invalid: a text holds half a character (a lone surrogate)") from None
    now = time.time_ns() // 1_000_000
    seen = codec.decode(Record(topics.inbound(institution), 0, 0, now, key, tuple(headers), value))
    if isinstance(seen, Flaw):
        raise _told(seen)
    if seen.envelope.institution != institution:
        raise NotADeclaration("source-not-owner: ce_source names another institution")
    return key, headers, value


def _told(flaw: Flaw) -> NotADeclaration:
    return NotADeclaration(f"{flaw.problem}: {flaw.detail}" if flaw.detail else str(flaw.problem))
