"""The referral service, put together: one constructor, used by the process and by tests."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from contracts import topics
from contracts.codec import Located
from services.referrals import api, pages, publish, store
from services.referrals.fold import Folded
from services.referrals.settings import Settings
from services.referrals.throttle import Throttle
from services.runtime import clock, kafka, sql, web
from services.runtime.members import Members, reachable
from services.runtime.pipeline import pipeline
from services.runtime.process import Job, every
from services.runtime.telemetry import oldest_age, value

_SQL = sql.load(Path(__file__).parent / "sql" / "relay.sql")
_PARKED = sql.load(Path(__file__).parent / "sql" / "parked.sql")

COUNTED_EVERY = 10.0
"""Seconds between two looks at what waits for a mend."""


def inbound(topic: str) -> bool:
    """Whether a topic holds declarations."""
    return topics.owner(topic) is not None


@asynccontextmanager
async def service(settings: Settings) -> AsyncIterator[list[Job]]:
    """Intake, relay, API and housekeeping of one process."""
    members = Members(settings.directory_file)
    folded, throttle = Folded(), Throttle()
    counted: Counter[tuple[str, str]] = Counter()

    async def work(connection: asyncpg.Connection, batch: Sequence[Located], unstorable: bool) -> None:
        # As it was listed a few seconds ago at most: a question to Kafka would hold the transaction open.
        cluster = line.intake.cluster
        assert cluster is not None
        nonlocal folded, counted
        folded, counted = await store.apply(
            connection,
            batch,
            unstorable,
            reachable(members.current(), cluster.topic_ids),
            settings.internal_errors,
            # A notification takes a lock of the whole database until it is on the disk, and wakes whoever listens.
            notify=not line.relay.active,
        )

    def committed() -> None:
        store.report(folded, counted)
        for (outcome, reason), count in counted.items():
            line.telemetry.add("ruta.outcomes", count, outcome=outcome, reason=reason)
        for topic, seconds in throttle.pauses(folded, time.monotonic()):
            kafka.pause(line.intake.consumer.consumer, topic, seconds)

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

        async def forget_sealed() -> None:
            # As long as the recipient's topic keeps it; afterwards only the recipient has it.
            await line.pool.execute(_SQL["forget_sealed"], clock.now() - topics.INSTITUTION_KEPT)

        parked: Mapping[str, Any] | None = None

        async def count_parked() -> None:
            nonlocal parked
            parked = await line.pool.fetchrow(_PARKED["waiting"])

        line.telemetry.watch("ruta.parked", lambda: value(parked["records"] if parked else None))
        line.telemetry.watch("ruta.parked.age", lambda: oldest_age(parked))
        app = api.build(line.pool, line.missing)
        web.expose(app, line.telemetry, line.missing)
        pages.add(app, settings, line.pool, members.current)
        async with line.reading():
            beside = [
                every(3600, "housekeeping", forget_sealed),
                every(COUNTED_EVERY, "counting what is parked", count_parked),
            ]
            yield [*line.jobs, web.job(app, settings), *beside]
