"""The audit service, put together: one constructor, used by the process and by tests."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from services.audit import api, keys, note, pages, predecessor, seen
from services.audit.comparison import Log
from services.audit.sequencer import Sequencer, consumer
from services.audit.settings import Settings
from services.audit.streams import Streams
from services.runtime import database, failpoints, kafka, web
from services.runtime.members import Members
from services.runtime.process import Job, closing
from services.runtime.progress import ConsumerProgress, database_pulse
from services.runtime.telemetry import Telemetry, age, by_topic, value


async def nothing_missing() -> list[str]:
    """A closed log waits for nothing."""
    return []


@asynccontextmanager
async def service(settings: Settings) -> AsyncIterator[list[Job]]:
    """Sequencer and API of one process."""
    failpoints.enable(settings.test_failpoints, "audit")
    signer = keys.load(settings.audit_signing_key_file, settings.audit_origin)
    async with AsyncExitStack() as stack:
        telemetry = Telemetry("audit", settings.instance)
        await stack.enter_async_context(closing(telemetry))
        writer = await database.connect(settings, application="audit sequencer")
        await stack.enter_async_context(closing(writer))
        reader = await database.connect(settings, application="audit lookups")
        await stack.enter_async_context(closing(reader))
        keys_connection = await database.connect(
            settings,
            user=settings.audit_keys_user,
            password_file=str(settings.audit_keys_password_file),
            application="audit keys",
        )
        await stack.enter_async_context(closing(keys_connection))
        pool = await database.pool(settings, application="audit api")
        await stack.enter_async_context(closing(pool))
        records = consumer(settings)
        await records.start()
        await stack.enter_async_context(closing(records, "stop"))

        streams = Streams(records, kafka.Admin(settings).cluster)
        sequencer = Sequencer(writer, reader, keys_connection, signer, streams, telemetry, settings.audit_seen_file)
        progress, pulse = ConsumerProgress(), await stack.enter_async_context(database_pulse(settings, "audit"))

        async def missing() -> list[str]:
            waiting = sequencer.missing() or progress.missing(records, sequencer.busy_since)
            return [*pulse.missing(), *waiting]

        closed = await predecessor.all_before(pool)
        app = api.build(pool, signer.verifier, missing, closed)
        closed_logs = []
        for one in closed:
            of_one = await database.pool(settings, size=1, application="audit closed log", schema=one.schema)
            await stack.enter_async_context(closing(of_one))
            app.mount(one.path, api.build(of_one, note.read_vkey(one.vkey), nothing_missing))
            closed_logs.append(Log(one.vkey, of_one, one))
        web.expose(app, telemetry, missing)
        pages.add(app, settings, Log(signer.verifier.vkey, pool), closed_logs, Members(settings.directory_file).current)

        telemetry.watch("ruta.lag", lambda: by_topic(records))
        telemetry.watch("ruta.tree.size", lambda: value(sequencer.signed and sequencer.signed[0]))
        telemetry.watch("ruta.checkpoint.age", lambda: value(sequencer.signed and age(sequencer.signed[1])))

        jobs: list[Job] = [sequencer.run, pulse.run, web.job(app, settings)]
        if (seen_file := settings.audit_seen_file) is not None:
            jobs.append(lambda: seen.keep(seen_file, lambda: sequencer.checkpoint))
        yield jobs
