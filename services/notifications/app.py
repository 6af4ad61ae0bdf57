"""The notification service, put together: one constructor, used by the process and by tests."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg

from contracts import topics
from contracts.codec import Located
from services.notifications import api, jobs, receipts, store
from services.notifications.channels.email import Email
from services.notifications.settings import Settings
from services.notifications.worker import Worker
from services.runtime import database, kafka, sql, web
from services.runtime.intake import Intake
from services.runtime.members import Members
from services.runtime.process import Job, closing
from services.runtime.progress import ConsumerProgress, DatabasePulse
from services.runtime.relay import Relay

_RELAY = sql.load(Path(__file__).parent / "sql" / "relay.sql")
_WORKER = sql.load(Path(__file__).parent / "sql" / "worker.sql")


@asynccontextmanager
async def service(settings: Settings) -> AsyncIterator[list[Job]]:
    """Intake of facts, mail worker, relay of receipts, API and housekeeping of one process."""
    async with AsyncExitStack() as stack:
        intake_connection = await database.connect(settings, application="notifications intake")
        await stack.enter_async_context(closing(intake_connection))
        worker_connection = await database.connect(settings, application="notifications worker")
        await stack.enter_async_context(closing(worker_connection))
        relay_connection = await database.connect(settings, application="notifications relay")
        await stack.enter_async_context(closing(relay_connection))
        pool = await database.pool(settings, application="notifications api")
        await stack.enter_async_context(closing(pool))
        producer = kafka.producer(settings)
        await producer.start()
        await stack.enter_async_context(closing(producer, "stop"))
        email = Email(settings)
        await stack.enter_async_context(closing(email))

        relay = Relay(relay_connection, producer, _RELAY, receipts.messages, channel=receipts.CHANNEL)
        members = Members(settings.directory_file)
        worker = Worker(worker_connection, email, members, settings.mail_sender, after_commit=relay.wake.set)

        async def work(connection: asyncpg.Connection, batch: Sequence[Located], unstorable: bool) -> None:
            await store.apply(connection, batch, unstorable, members.current())

        intake = Intake(
            settings, intake_connection, work, wanted=lambda topic: topic == topics.FACTS, after_commit=relay.wake.set
        )
        broker = kafka.broker(settings)
        intake.consumer = kafka.subscribe(
            broker,
            intake.handle,
            group=topics.NOTIFICATIONS,
            listener=intake.listener(),
            names=(topics.FACTS,),
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
        app = api.build(pool, missing, members.current, lambda: worker.down_since)

        async def http() -> None:
            await web.serve(app, settings.http_host, settings.http_port)

        async def housekeeping() -> None:
            while True:
                await pool.execute(_WORKER["forget_job_log"], jobs.LOG_KEPT)
                await asyncio.sleep(3600)

        yield [intake.run, worker.run, relay.run, pulse.run, http, housekeeping]
