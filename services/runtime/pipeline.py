"""What a service is made of that takes records, works in one transaction and publishes what it wrote."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import asyncpg

from services.runtime import database, failpoints, kafka, web
from services.runtime.intake import Intake, Work
from services.runtime.kafka import Message
from services.runtime.process import Job, closing
from services.runtime.progress import ConsumerProgress, Watermark, database_pulse
from services.runtime.relay import Relay
from services.runtime.settings import Settings
from services.runtime.telemetry import Telemetry, age, by_topic, value


@dataclass(frozen=True)
class Pipeline:
    """The parts of one process. Nothing is read before ``reading`` is entered."""

    intake: Intake
    relay: Relay
    pool: asyncpg.Pool
    telemetry: Telemetry
    missing: web.Missing
    """What does not move; for readiness."""
    jobs: Sequence[Job]
    """To be run side by side as long as the service lives."""
    reading: Callable[[], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def pipeline(
    settings: Settings,
    work: Work,
    *,
    name: str,
    group: str,
    wanted: Callable[[str], bool],
    topics: Sequence[str] = (),
    pattern: str | None = None,
    outbox: Mapping[str, str],
    channel: str,
    written: str,
    messages: Callable[[asyncpg.Record], Iterable[Message]],
    committed: Callable[[], None],
    gather: float = 0.0,
) -> AsyncIterator[Pipeline]:
    """Open it: ``work`` per batch of ``topics`` or ``pattern``, then ``messages`` of each row of ``outbox``.

    ``wanted`` says which topics the group must read, ``outbox`` holds the relay's statements, ``channel`` is where
    the database tells of new rows, ``written`` the column with their time; ``committed`` follows each
    commit of ``work``; the relay waits ``gather`` seconds for more rows while there are few.
    """
    failpoints.enable(settings.test_failpoints, name)
    async with AsyncExitStack() as stack:
        telemetry = Telemetry(name, settings.instance)
        await stack.enter_async_context(closing(telemetry))
        intake_connection = await database.connect(settings, application=f"{name} intake")
        await stack.enter_async_context(closing(intake_connection))
        # Its cursor waits for no disk: a server's death repeats the last half second, and readers deduplicate.
        relay_connection = await database.connect(settings, application=f"{name} relay", more=database.LAZILY)
        await stack.enter_async_context(closing(relay_connection))
        pool = await database.pool(settings, application=f"{name} api")
        await stack.enter_async_context(closing(pool))
        producer = kafka.producer(settings)
        await producer.start()
        await stack.enter_async_context(closing(producer, "stop"))

        relay = Relay(
            relay_connection, producer, outbox, messages, channel, written, gather,
            after_send=lambda rows: telemetry.add("ruta.outbox.sent", rows),
        )  # fmt: skip

        async def after_commit() -> None:
            relay.wake.set()
            await asyncio.sleep(0)  # the relay asks for what was written, and while the database answers it is counted
            committed()

        intake = Intake(
            kafka.Admin(settings),
            intake_connection,
            work,
            wanted,
            group,
            settings.instance,
            after_commit=after_commit,
        )
        watermark = Watermark()

        async def handle(batch: kafka.Batch) -> None:
            try:
                with telemetry.batch("batch", (raw.headers for raw in batch)):
                    await intake.handle(batch)
                watermark.saw(batch)
            except Exception as error:  # the framework would swallow it, and the batch with it
                intake.fail(error)

        broker = kafka.broker(settings)
        intake.consumer = kafka.subscribe(
            broker,
            handle,
            group=group,
            listener=intake.listener(),
            names=topics,
            pattern=pattern,
            instance=settings.instance,
        )
        progress, pulse = ConsumerProgress(), await stack.enter_async_context(database_pulse(settings, name))

        async def missing() -> list[str]:
            return [
                *pulse.missing(),
                *intake.missing(),
                *progress.missing(intake.consumer.consumer, intake.busy_since),
                *relay.missing(),
            ]

        telemetry.watch("ruta.lag", lambda: by_topic(intake.consumer.consumer))
        telemetry.watch("ruta.outbox.age", lambda: value(age(relay.oldest) if relay.oldest else 0.0))
        if "ruta.watermark.age" in telemetry.gauges:
            telemetry.watch("ruta.watermark.age", lambda: value(watermark.age(intake.consumer.consumer)))

        @asynccontextmanager
        async def reading() -> AsyncIterator[None]:
            await broker.start()
            async with closing(broker, "stop"):
                try:
                    yield
                finally:
                    intake.ended.set()

        yield Pipeline(intake, relay, pool, telemetry, missing, (intake.run, relay.run, pulse.run), reading)
