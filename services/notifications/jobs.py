"""The queue of mails: PgQueuer in a schema of its own, on our connections and in our transactions.

A job is only a reminder that an alert waits: its payload is the alert's id. That there is one job per alert comes
from the alert's key, because both are written in one statement (``tell`` in ``sql/intake.sql``); PgQueuer's own
deduplication is not used.
"""

import json
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import asyncpg
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence import schema_ddl
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.models import Job
from pgqueuer.domain.settings import DBSettings
from pgqueuer.domain.types import Channel, QueueEntrypoint, QueueManagerId
from pgqueuer.ports.repository import EntrypointExecutionParameter

SETTINGS = DBSettings(prefix="", db_schema="pgqueuer", channel=Channel("ch_pgqueuer"))
EMAIL = QueueEntrypoint("email")

LOG_KEPT = timedelta(days=7)
"""PgQueuer writes a line per step of a job; receipts are the record, these lines are for the operator only."""


def queries(connection: asyncpg.Connection) -> Queries:
    """PgQueuer's statements on one of our connections, so that they join its transaction."""
    return Queries(
        AsyncpgDriver(connection),
        qbe=QueryBuilderEnvironment(SETTINGS),
        qbq=QueryQueueBuilder(SETTINGS),
        qbs=QuerySchedulerBuilder(SETTINGS),
    )


def install_sql() -> str:
    """What the pinned release installs into its schema; ``migrations_pgqueuer/0001`` is exactly this."""
    return schema_ddl.render_install(SETTINGS, create_schema=False) + "\n"


async def claim(connection: asyncpg.Connection, worker: QueueManagerId, most: int, stale: timedelta) -> list[Job]:
    """At most ``most`` jobs for this worker, those included whose worker has been silent for ``stale``."""
    return await queries(connection).dequeue(
        batch_size=most,
        entrypoints={EMAIL: EntrypointExecutionParameter(concurrency_limit=0)},
        queue_manager_id=worker,
        global_concurrency_limit=None,
        heartbeat_timeout=stale,
    )


def alert_of(job: Job) -> UUID:
    """The alert that a job is about."""
    return UUID(bytes=job.payload)


async def finish(connection: asyncpg.Connection, done: Sequence[Job], given_up: Sequence[Job]) -> None:
    """Take jobs out of the queue, in the transaction that records why."""
    if done or given_up:
        ends = [*((job, "successful", None) for job in done), *((job, "exception", None) for job in given_up)]
        await queries(connection).log_jobs(ends)  # type: ignore[arg-type]


async def postpone(connection: asyncpg.Connection, job: Job, wait: timedelta) -> None:
    """Put a job back for later."""
    await queries(connection).retry_job(job, wait, None)


async def beat(connection: asyncpg.Connection, held: Sequence[Job]) -> None:
    """Say that the worker of these jobs is alive."""
    await queries(connection).update_heartbeat([job.id for job in held])


def announces_work(payload: str) -> bool:
    """Whether a notification tells of new jobs: our own deletions are announced as well."""
    return bool(json.loads(payload).get("operation") == "insert")
