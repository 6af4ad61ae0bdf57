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
from services.runtime import database, sql
from services.runtime.members import Members
from services.runtime.pipeline import http, pipeline
from services.runtime.process import Job, closing

_RELAY = sql.load(Path(__file__).parent / "sql" / "relay.sql")
_WORKER = sql.load(Path(__file__).parent / "sql" / "worker.sql")


@asynccontextmanager
async def service(settings: Settings) -> AsyncIterator[list[Job]]:
    """Intake of facts, mail worker, relay of receipts, API and housekeeping of one process."""
    members = Members(settings.directory_file)

    async def work(connection: asyncpg.Connection, batch: Sequence[Located], unstorable: bool) -> None:
        await store.apply(connection, batch, unstorable, members.current())

    async with AsyncExitStack() as stack:
        worker_connection = await database.connect(settings, application="notifications worker")
        await stack.enter_async_context(closing(worker_connection))
        email = Email(settings)
        await stack.enter_async_context(closing(email))
        line = await stack.enter_async_context(
            pipeline(
                settings,
                work,
                name="notifications",
                group=topics.NOTIFICATIONS,
                wanted=lambda topic: topic == topics.FACTS,
                topics=(topics.FACTS,),
                outbox=_RELAY,
                channel=receipts.CHANNEL,
                messages=receipts.messages,
            )
        )
        worker = Worker(worker_connection, email, members, settings.mail_sender, after_commit=line.relay.wake.set)

        async def housekeeping() -> None:
            while True:
                await line.pool.execute(_WORKER["forget_job_log"], jobs.LOG_KEPT)
                await asyncio.sleep(3600)

        app = api.build(line.pool, line.missing, members.current, lambda: worker.down_since)
        await stack.enter_async_context(line.reading())
        yield [*line.jobs, worker.run, http(app, settings), housekeeping]
