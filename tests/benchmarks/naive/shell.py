"""What the three plain services share: a pool, a broker, and a subscriber that takes one record at a time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import asyncpg
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaMessage
from faststream.security import SASLScram512

from contracts.codec import Located
from contracts.directory import Institution, load
from services.runtime import database, kafka, settings
from services.runtime.kafka import Message
from services.runtime.process import Job, closing
from services.runtime.settings import Settings, read_secret


class Shell:
    """One process: its settings, its broker, its database, the directory and the cluster's ids."""

    pool: asyncpg.Pool
    cluster: kafka.Cluster

    def __init__(self) -> None:
        self.settings = settings.load(Settings)
        self.members: dict[str, Institution] = load(self.settings.directory_file).by_code
        self.broker = KafkaBroker(
            self.settings.kafka_bootstrap,
            security=SASLScram512(
                username=self.settings.kafka_user,
                password=read_secret(self.settings.kafka_password_file),
                use_ssl=False,
            ),
            allow_auto_create_topics=False,
            apply_types=False,
            acks="all",
            logger=None,
        )

    def each(self, handle: Callable[[Located], Awaitable[None]], *names: str, pattern: str | None = None) -> None:
        """Call ``handle`` with one record after another; its offset is committed when it returns."""

        async def taken(raw: Any) -> None:
            record = kafka.record(raw)
            await handle(Located(record, self.cluster.id, self.cluster.topic_ids[record.topic]))

        self.broker.subscriber(
            *names,
            pattern=pattern,
            group_id=f"{self.settings.kafka_user}.naive",
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.NACK_ON_ERROR,
            parser=_parse,
            decoder=_decode,
            no_reply=True,
        )(taken)

    async def publish(self, messages: Iterable[Message]) -> None:
        """Publish what one record led to; returns when Kafka has all of it."""
        await asyncio.gather(
            *(
                self.broker.publish(
                    message.value,
                    message.topic,
                    key=message.key,
                    headers={name: value.decode() for name, value in message.headers},
                )
                for message in messages
            )
        )

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[list[Job]]:
        """Handle records while the block runs; the broker's own tasks do it, no job is left."""
        self.pool = await database.pool(self.settings)
        self.cluster = await kafka.Admin(self.settings).cluster()
        await self.broker.start()
        async with closing(self.broker, "stop"):
            yield []


async def _parse(raw: Any) -> KafkaMessage:
    # The framework's own parser decodes every header as text and loses records in which one is none.
    return KafkaMessage(raw_message=raw, body=b"", consumer=None)  # type: ignore[arg-type]


async def _decode(message: KafkaMessage) -> Any:
    return message.raw_message
