"""The notification service, put together: one constructor, used by the process and by tests."""

import logging
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from contracts import topics
from contracts.codec import Located
from contracts.receipts import AlertChannel, ReceiptStatus
from services.notifications import again, api, jobs, live, pages, receipts, store
from services.notifications.channels.email import Email
from services.notifications.delivery import Settlement
from services.notifications.routing import Alert
from services.notifications.settings import Settings
from services.notifications.worker import Letter, Worker
from services.runtime import database, kafka, refetch, sql, web
from services.runtime.members import Members
from services.runtime.pipeline import pipeline
from services.runtime.process import Job, closing, every
from services.runtime.telemetry import age, oldest_age, value

log = logging.getLogger("ruta.notifications")
_RELAY = sql.load(Path(__file__).parent / "sql" / "relay.sql")
_UNREADABLE = sql.load(Path(__file__).parent / "sql" / "unreadable.sql")
_WORKER = sql.load(Path(__file__).parent / "sql" / "worker.sql")

RECEIPTS_GATHERED = 0.2
"""Seconds: receipts are for the log, where nobody waits for them; inboxes and mails have been told already."""

LOOKED_AT_EVERY = 5.0
"""Seconds between two counts of what waits, for ``/metrics``."""

READ_AGAIN_EVERY = 3600.0
"""Seconds between two looks at the facts that could not be read. The first one, at the start, follows an upgrade; the
others are for what Kafka or PostgreSQL did not give then."""


@asynccontextmanager
async def service(settings: Settings) -> AsyncIterator[list[Job]]:
    """Intake of facts, mail worker, relay of receipts, API and housekeeping of one process."""
    members = Members(settings.directory_file)

    records: int = 0
    planned: Sequence[Alert] = ()

    async def work(connection: asyncpg.Connection, batch: Sequence[Located], unstorable: bool) -> None:
        nonlocal records, planned
        planned = await store.apply(connection, batch, unstorable, members.current())
        records = len(batch)

    def count_alerts(alerts: Sequence[Alert]) -> None:
        for channel, count in Counter(alert.channel for alert in alerts).items():
            line.telemetry.add("ruta.alerts", count, channel=channel)

    def committed() -> None:
        log.info("batch", extra={"records": records, "outcomes": dict(Counter(alert.kind for alert in planned))})
        count_alerts(planned)
        if planned:
            oldest = min(alert.occurred_at for alert in planned)
            line.telemetry.record("ruta.alert.latency", age(oldest), channel=AlertChannel.INBOX)

    def mailed(settled: Sequence[tuple[Letter, Settlement]]) -> None:
        line.relay.wake.set()
        for letter, settlement in settled:
            line.telemetry.add("ruta.mail.attempts", status=settlement.status)
            if settlement.status is ReceiptStatus.SENT:
                waited = age(letter.alert.occurred_at)
                line.telemetry.record("ruta.alert.latency", waited, channel=AlertChannel.EMAIL)

    async with AsyncExitStack() as stack:
        # A claim waits for no disk: what a server's death forgets of it is claimed again. What became of a mail does.
        worker_connection = await database.connect(settings, application="notifications worker", more=database.LAZILY)
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
                written="at",
                messages=receipts.messages,
                committed=committed,
                gather=RECEIPTS_GATHERED,
            )
        )
        worker = Worker(worker_connection, email, members, settings.mail_sender, after_commit=mailed)

        queue: Mapping[str, Any] | None = None

        async def count_queue() -> None:
            nonlocal queue
            queue = await line.pool.fetchrow(_WORKER["queue"])

        line.telemetry.watch("ruta.mail.waiting", lambda: value(queue["waiting"] if queue else None))
        line.telemetry.watch("ruta.mail.age", lambda: oldest_age(queue))

        unreadable: int | None = None

        async def count_unreadable() -> None:
            nonlocal unreadable
            unreadable = await line.pool.fetchval(_UNREADABLE["kept"], topics.SHARED_KEPT)

        line.telemetry.watch("ruta.unreadable", lambda: value(unreadable))

        async def read_again() -> None:
            count_alerts(await again.read_again(line.pool, line.intake.learn, fetching, members.current()))

        def fetching() -> AbstractAsyncContextManager[refetch.Fetch]:
            return refetch.fetching(kafka.client_options(settings))

        async def forget_job_log() -> None:
            await line.pool.execute(_WORKER["forget_job_log"], jobs.LOG_KEPT)

        app = api.build(line.pool, line.missing, members.current, lambda: worker.down_since)
        web.expose(app, line.telemetry, line.missing)
        streams = live.Live(line.pool)
        live.add(app, line.pool, streams, members.current)
        pages.add(app, settings, line.pool, members.current)
        await stack.enter_async_context(line.reading())
        beside = [
            every(3600, "housekeeping", forget_job_log),
            every(LOOKED_AT_EVERY, "counting mails", count_queue),
            every(LOOKED_AT_EVERY, "counting unreadable facts", count_unreadable),
            every(READ_AGAIN_EVERY, "reading facts again", read_again),
        ]
        yield [*line.jobs, worker.run, streams.run, web.job(app, settings), *beside]
