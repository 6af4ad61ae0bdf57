"""How long it takes after a SIGKILL until the killed part has done something for a declaration made after it."""

import asyncio
import time
from collections.abc import Callable, Iterator

from aiokafka.errors import KafkaError

from deploy.bench.latency import publisher, send, until, watching
from deploy.bench.load import Row
from deploy.bench.progress import RutaProgress
from deploy.embedded.stack import Stack

_BACK_WITHIN = 60.0
_TRIED_EVERY = 0.05


class NotBack(RuntimeError):
    """A killed part did nothing for a minute."""


async def measure(stack: Stack, rows: Iterator[Row], progress: RutaProgress) -> dict[str, float]:
    """Seconds by part, from the kill to: fact on ``out`` (referrals, Kafka), alert readable, leaf durable.

    ``rows``: of different events, all to be applied.
    """
    found = {}
    for name in ("referrals", "notifications", "audit", "kafka"):
        found[name] = round(await _restart(stack, name, next(rows), progress), 2)
        await stack.wait_ready(name, _BACK_WITHIN)
    return found


async def _restart(stack: Stack, name: str, row: Row, progress: RutaProgress) -> float:
    async with watching(stack.target, {row.institution}) as watch:
        stack.kill(name)
        killed = time.monotonic()
        await _publish(stack, row)
        if name == "audit":
            while not await progress.has_leaf(row.institution, row.event):
                _check(killed, name)
                await asyncio.sleep(_TRIED_EVERY / 10)
            return time.monotonic() - killed
        seen = watch.alerts if name == "notifications" else watch.facts
        await _wait(lambda: row.event in seen, name)
        return seen[row.event] - killed


async def _publish(stack: Stack, row: Row) -> None:
    deadline = time.monotonic() + _BACK_WITHIN
    while time.monotonic() < deadline:
        try:
            async with asyncio.timeout(_BACK_WITHIN), publisher(stack.target) as producer:
                return await send(producer, row)
        except (KafkaError, OSError, TimeoutError):
            await asyncio.sleep(_TRIED_EVERY)
    raise NotBack("Kafka took no record")


async def _wait(seen: Callable[[], bool], name: str) -> None:
    if not await until(seen, _BACK_WITHIN):
        raise NotBack(f"nothing came from {name}")


def _check(killed: float, name: str) -> None:
    if time.monotonic() - killed > _BACK_WITHIN:
        raise NotBack(f"nothing came from {name}")
