"""How a service process lives: jobs side by side, ended in order by a signal, ended at once by any failure."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable

import uvloop

from services.runtime import database, logs

log = logging.getLogger("ruta.process")

EXIT_WITHIN = 7.0
"""Seconds from a signal to the end of the process."""

FAILED_EXIT_WITHIN = 1.0
"""Seconds from a failure to the end of the process. A client that joins its group again does not let itself be closed
for seconds, and whoever starts us again waits; what a failed process leaves open ends like that of a killed one."""

Job = Callable[[], Awaitable[None]]
Service = Callable[[], contextlib.AbstractAsyncContextManager[list[Job]]]


def run(name: str, service: Service) -> None:
    """Run a service until SIGTERM or SIGINT (exit code 0) or until one of its jobs fails (exit code 1).

    ``service`` is an async context manager: entering it opens connections and gives the jobs, leaving it
    closes them. A failed process is restarted by its supervisor; nothing tries to go on half alive.
    """
    logs.configure(name)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(service))
    except Exception as error:
        log.critical("service failed", exc_info=error)
        sys.exit(1)


def every(seconds: float, what: str, work: Callable[[], Awaitable[object]]) -> Job:
    """A job beside the work, done now and then: where the database fails it, it is left for the next time."""

    async def job() -> None:
        while True:
            try:
                await work()
            except database.AWAY as error:
                log.warning("%s failed", what, extra={"reason": type(error).__name__})
            await asyncio.sleep(seconds)

    return job


async def side_by_side(*parts: Awaitable[object]) -> None:
    """Run the parts of a job until one ends, and end as it does.

    The others are cancelled and waited for only so long: where the answer comes with the cancellation, Python 3.11's
    ``asyncio.wait_for`` loses the latter (the SMTP client uses it), and a task group would wait for ever.
    """
    running = [asyncio.ensure_future(part) for part in parts]
    try:
        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        await done.pop()
    finally:
        for one in running:
            one.cancel()
        await asyncio.wait(running, timeout=1)


def _leave_by(seconds: float) -> None:
    """End the process if closing takes longer: a client waiting for a dead peer must not hold the exit."""
    timer = threading.Timer(seconds, os._exit, [1])
    timer.daemon = True
    timer.start()


async def _serve(service: Service) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with service() as jobs:
        tune_garbage_collector()
        log.info("started")
        tasks = [asyncio.ensure_future(job()) for job in jobs]
        stopping, within = asyncio.ensure_future(stop.wait()), EXIT_WITHIN
        try:
            done, _ = await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
            if stopping not in done:
                failed, within = done.pop(), FAILED_EXIT_WITHIN
                log.critical("job ended", exc_info=None if failed.cancelled() else failed.exception())
                raise SystemExit(1)
        finally:
            _leave_by(within)
            for task in (*tasks, stopping):
                task.cancel()
            await asyncio.wait([*tasks, stopping], timeout=2)
    log.info("stopped")


def tune_garbage_collector() -> None:
    """Objects made at start-up live for ever and batches are free of cycles: collect rarely (1.5 times faster)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 50, 1_000)


@contextlib.asynccontextmanager
async def closing(resource: object, close: str = "close") -> AsyncIterator[None]:
    """Close ``resource`` when the block ends, waiting at most five seconds: a dead peer must not hold the exit."""
    try:
        yield
    finally:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(5):
                await getattr(resource, close)()
