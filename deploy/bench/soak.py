"""A steady load for a long time: what each process holds, what waits, and whether any of it only ever grows."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from random import Random
from statistics import linear_regression, mean
from typing import Any

from contracts.directory import Directory
from deploy.bench import load, parts, processes
from deploy.bench.latency import publisher, send
from deploy.bench.progress import SQL, RutaProgress, administrator
from deploy.embedded.stack import Stack

SAMPLED_EVERY = 5.0
ROWS_AT_A_TIME = 3_000
"""Rows are made while others are sent: all of a long soak at once would be what fills the memory."""

WARM_UP = 1 / 3
"""The share of the time in which memory may still rise: caches fill, pools open, the log remembers its referrals."""

GROWTH_MIB_PER_HOUR = 60.0
GROWTH_SHARE_PER_HOUR = 0.3
"""More than both, by the slope after the warm-up, is growth. A leak of one small object per declaration is more at
any load; what allocators keep and give back is less."""

JUDGED_FROM = 300.0
"""Seconds after the warm-up below which a slope says nothing."""

QUIET_WITHIN = 60.0

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Sample:
    """One look: seconds since the start, resident MiB by process, declarations sent and decided, PostgreSQL's
    connections and the database's MiB."""

    at: float
    rss_mib: Mapping[str, int]
    sent: int
    decided: int
    connections: int
    database_mib: float


@dataclass(frozen=True, slots=True)
class Trend:
    """What became of one process's memory after the warm-up: MiB at its end, MiB per hour by the slope, verdict."""

    mib: int
    mib_per_hour: float
    flat: bool | None
    """None: the time was too short to say."""


async def run(
    stack: Stack, directory: Directory, minutes: float, per_s: float, seed: int, report: Report
) -> tuple[dict[str, Any], list[Sample]]:
    """The figures and every sample. All that was sent is decided at the end, or the figures say how much is not.

    Raises parts.OutcomesDiffer.
    """
    samples: list[Sample] = []
    sent = 0
    wanted: Counter[str] = Counter()
    async with administrator(stack.target) as connection:
        progress = RutaProgress(connection)
        outcomes_before = await progress.outcomes()
        decided_before, began = await progress.decided(), time.monotonic()

        async def sample() -> None:
            held = await connection.fetchrow(SQL["held"])
            decided = await progress.decided() - decided_before
            rss = processes.rss_mib(stack)
            samples.append(
                Sample(
                    round(time.monotonic() - began, 1), rss, sent, decided, held["connections"],
                    round(held["bytes"] / 2**20, 1),
                )
            )  # fmt: skip

        async def watch() -> None:
            while True:
                await sample()
                if len(samples) % 12 == 0:
                    report(f"soak: {samples[-1].at / 60:.0f} min, {sent} sent, {sent - samples[-1].decided} waiting")
                await asyncio.sleep(SAMPLED_EVERY)

        watching = asyncio.ensure_future(watch())
        try:
            async for row in _sending(stack, directory, minutes, per_s, seed):
                sent += 1
                wanted[row.outcome] += 1
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        deadline = time.monotonic() + QUIET_WITHIN
        while await progress.decided() - decided_before < sent and time.monotonic() < deadline:
            await asyncio.sleep(0.2)
        await sample()
        if samples[-1].decided == sent:
            parts.compare(wanted, outcomes_before, await progress.outcomes())
    return {
        "minutes": minutes,
        "per_second": per_s,
        "events": sent,
        "undecided": sent - samples[-1].decided,
        "most_waiting": max(one.sent - one.decided for one in samples),
        "connections": {"least": min(s.connections for s in samples), "most": max(s.connections for s in samples)},
        "database_bytes_per_event": round((samples[-1].database_mib - samples[0].database_mib) * 2**20 / max(1, sent)),
        "memory": {name: asdict(trend) for name, trend in trends(samples).items()},
        "flat": all(trend.flat is not False for trend in trends(samples).values()),
    }, samples


def trends(samples: Sequence[Sample]) -> dict[str, Trend]:
    """The trend of each process that lived through all samples."""
    after = [one for one in samples if one.at >= samples[-1].at * WARM_UP]
    found = {}
    for name in after[0].rss_mib:
        held = [(one.at, one.rss_mib[name]) for one in after if name in one.rss_mib]
        if len(held) < 2:
            continue
        per_hour = linear_regression([at for at, _ in held], [mib for _, mib in held]).slope * 3600
        typical = mean(mib for _, mib in held)
        flat = per_hour <= max(GROWTH_MIB_PER_HOUR, GROWTH_SHARE_PER_HOUR * typical)
        enough = held[-1][0] - held[0][0] >= JUDGED_FROM
        found[name] = Trend(held[-1][1], round(per_hour, 1), flat if enough else None)
    return found


async def _sending(
    stack: Stack, directory: Directory, minutes: float, per_s: float, seed: int
) -> AsyncIterator[load.Row]:
    """Publish at random moments, ``per_s`` in the mean; gives each row when it was sent."""
    random = Random(seed)  # noqa: S311 - a load that can be repeated
    ends = time.monotonic() + 60 * minutes
    making = asyncio.ensure_future(asyncio.to_thread(load.make, directory, ROWS_AT_A_TIME, seed))
    pending: set[asyncio.Future[None]] = set()
    async with publisher(stack.target) as producer:
        due = time.monotonic()
        while time.monotonic() < ends:
            rows = (await making).waves
            seed += 1
            making = asyncio.ensure_future(asyncio.to_thread(load.make, directory, ROWS_AT_A_TIME, seed))
            for row in chain(*rows):
                due += random.expovariate(per_s)
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                if time.monotonic() > ends:
                    break
                one = asyncio.ensure_future(send(producer, row))
                pending.add(one)
                one.add_done_callback(pending.discard)
                yield row
        await asyncio.gather(*pending)
        await making
