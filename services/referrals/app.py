"""The referral service, put together: one constructor, used by the process and by tests."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import asyncpg

from contracts import topics
from contracts.codec import Located
from services.referrals import api, publish, store
from services.runtime import clock, database, kafka, sql, web
from services.runtime.intake import Intake
from services.runtime.members import Members
from services.runtime.process import Job, closing
from services.runtime.progress import ConsumerProgress, DatabasePulse
from services.runtime.relay import Relay
from services.runtime.settings import Settings

_SQL = sql.load(Path(__file__).parent / "sql" / "relay.sql")

SEALED_KEPT = timedelta(days=14)
"""As long as the recipient's topic keeps it; afterwards only the recipient has it."""


def inbound(topic: str) -> bool:
    """Whether a topic holds declarations."""
    return topics.owner(topic) is not None


@asynccontextmanager
async def service(settings: Settings) -> AsyncIterator[list[Job]]:
    """Intake, relay, API and housekeeping of one process."""
    async with AsyncExitStack() as stack:
        intake_connection = await database.connect(settings, application="referrals intake")
        await stack.enter_async_context(closing(intake_connection))
        relay_connection = await database.connect(settings, application="referrals relay")
        await stack.enter_async_context(closing(relay_connection))
        pool = await database.pool(settings, application="referrals api")
        await stack.enter_async_context(closing(pool))
        producer = kafka.producer(settings)
        await producer.start()
        await stack.enter_async_context(closing(producer, "stop"))

        relay = Relay(relay_connection, producer, _SQL, publish.messages, channel="referrals_facts")
        members = Members(settings.directory_file)

        async def work(connection: asyncpg.Connection, batch: Sequence[Located], unstorable: bool) -> None:
            cluster = intake.cluster or await intake.learn()
            if len(members.reachable(cluster.topic_ids)) < len(members.current()):
                cluster = await intake.learn()  # a member's topics may have been made a moment ago
            await store.apply(connection, batch, unstorable, members.reachable(cluster.topic_ids))

        intake = Intake(settings, intake_connection, work, wanted=inbound, after_commit=relay.wake.set)
        broker = kafka.broker(settings)
        intake.consumer = kafka.subscribe(
            broker,
            intake.handle,
            group=topics.REFERRALS,
            listener=intake.listener(),
            pattern=topics.INBOUND_PATTERN,
            instance=settings.instance,
        )
        progress, pulse = ConsumerProgress(), DatabasePulse(pool)

        async def missing() -> list[str]:
            return [
                *pulse.missing(),
                *intake.missing(),
                *progress.missing(intake.consumer.consumer, intake.busy_since),
                *relay.missing(),
            ]

        await broker.start()
        await stack.enter_async_context(closing(broker, "stop"))
        stack.callback(intake.ended.set)
        app = api.build(pool, missing)

        async def http() -> None:
            await web.serve(app, settings.http_host, settings.http_port)

        async def housekeeping() -> None:
            while True:
                await pool.execute(_SQL["forget_sealed"], clock.now() - SEALED_KEPT)
                await asyncio.sleep(3600)

        yield [intake.run, relay.run, pulse.run, http, housekeeping]
