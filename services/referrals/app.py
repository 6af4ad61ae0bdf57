"""The referral service, put together: one constructor, used by the process and by tests."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import asyncpg

from contracts import topics
from contracts.codec import Located
from services.referrals import api, pages, publish, store
from services.runtime import clock, sql, web
from services.runtime.members import Members
from services.runtime.pipeline import http, pipeline
from services.runtime.process import Job
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
    members = Members(settings.directory_file)
    outcomes: Mapping[tuple[str, str], int] = {}

    async def work(connection: asyncpg.Connection, batch: Sequence[Located], unstorable: bool) -> None:
        cluster = line.intake.cluster or await line.intake.learn()
        if len(members.reachable(cluster.topic_ids)) < len(members.current()):
            cluster = await line.intake.learn()  # a member's topics may have been made a moment ago
        nonlocal outcomes
        outcomes = await store.apply(connection, batch, unstorable, members.reachable(cluster.topic_ids))

    def committed() -> None:
        for (outcome, reason), count in outcomes.items():
            line.telemetry.add("ruta.outcomes", count, outcome=outcome, reason=reason)

    async with pipeline(
        settings,
        work,
        name="referrals",
        group=topics.REFERRALS,
        wanted=inbound,
        pattern=topics.INBOUND_PATTERN,
        outbox=_SQL,
        channel="referrals_facts",
        written="received_at",
        messages=publish.messages,
        committed=committed,
    ) as line:

        async def housekeeping() -> None:
            while True:
                await line.pool.execute(_SQL["forget_sealed"], clock.now() - SEALED_KEPT)
                await asyncio.sleep(3600)

        app = api.build(line.pool, line.missing)
        web.expose(app, line.telemetry, line.missing)
        pages.add(app, settings, line.pool, members.current)
        async with line.reading():
            yield [*line.jobs, http(app, settings), housekeeping]
