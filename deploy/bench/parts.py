"""The parts of the benchmark, each on a running stack, each giving the figures it stands for."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from itertools import chain
from typing import Any

from deploy.bench import ceiling, disk, latency, machine, naive, processes, restarts, saturate
from deploy.bench.load import Load, Row
from deploy.bench.progress import SQL, RutaProgress, administrator
from deploy.bench.publish import Sender
from deploy.bench.saturate import Saturated
from deploy.embedded.stack import Stack
from services.referrals.refold import refold

WARM_UP = 200
"""Events before anything is measured: connections, plans and the broker's compiler get their first work."""

_HANDED_ON, _HANDED_ON_PER_S = 500, 50.0

MAILS_FOR = 15.0
"""Seconds: the rate shows after a few hundred, and a full load leaves tens of thousands."""

Figures = dict[str, Any]


class OutcomesDiffer(RuntimeError):
    """The system under test did not decide what it had to: its speed means nothing."""


async def run_naive(stack: Stack, load: Load, warm: Load) -> Figures:
    """The plain system under full load."""
    sender = Sender(stack.target)
    async with naive.system(stack) as progress:
        await saturate.run(warm.waves, sender, progress)
        with processes.cpu_seconds(stack) as cpu:
            done = await saturate.run(load.waves, sender, progress)
    return {
        "naive_events_per_s": round(done.events_per_s, 1),
        "naive_run": _kept(done),
        "naive_cpu_us_per_event": _per_event(cpu, done),
    }


async def run_ruta(stack: Stack, load: Load, warm: Load) -> Figures:
    """Ruta under full load. Sending mails is not compared: wrap this in ``mails_waiting``."""
    sender = Sender(stack.target)
    async with administrator(stack.target) as connection:
        progress = RutaProgress(connection)
        await saturate.run(warm.waves, sender, progress)
        before, stored = await progress.outcomes(), await connection.fetchrow(SQL["wal"])
        with processes.cpu_seconds(stack) as cpu:
            done = await saturate.run(load.waves, sender, progress)
        after, stored_after = await progress.outcomes(), await connection.fetchrow(SQL["wal"])
    compare(load.outcomes, before, after)
    return {
        "ruta_events_per_s": round(done.events_per_s, 1),
        "ruta_run": _kept(done),
        "ruta_bytes_per_event": {
            "wal": round((stored_after["wal"] - stored["wal"]) / done.events),
            "database": round((stored_after["bytes"] - stored["bytes"]) / done.events),
        },
        "ruta_cpu_us_per_event": _per_event(cpu, done),
    }


def compare(wanted: Mapping[str, int], before: Mapping[str, int], after: Mapping[str, int]) -> None:
    """Outcomes that there were to be, and all facts by outcome before and after. Raises OutcomesDiffer."""
    decided = {name: count - before.get(name, 0) for name, count in after.items() if count > before.get(name, 0)}
    if decided != wanted:
        raise OutcomesDiffer(f"wanted {dict(wanted)}, got {decided}")


async def run_ceiling(stack: Stack, load: Load, warm: Load) -> Figures:
    """The rows that Ruta left, only copied."""
    async with ceiling.prepared(stack.target, load.events + warm.events) as rows:
        with processes.cpu_seconds(stack) as cpu:
            found = await ceiling.copy(stack.target, rows)
    return {
        "ceiling_events_per_s": round(found.events_per_s, 1),
        "ceiling_run": asdict(found),
        "ceiling_cpu_us_per_event": round(1e6 * cpu["postgres"] / found.events),
    }


async def run_mails(stack: Stack, seconds: float = MAILS_FOR) -> Figures:
    """How fast waiting mails leave. What is left after ``seconds`` is dropped: nothing that follows may compete."""
    async with administrator(stack.target) as connection:
        progress = RutaProgress(connection)
        waiting = await progress.unsent_mails()
        began = time.monotonic()
        while (left := await progress.unsent_mails()) and time.monotonic() - began < seconds:
            await asyncio.sleep(0.05)
        took = time.monotonic() - began
        # Not deleted: every later look for a job would pass by the dead rows until they are vacuumed.
        await connection.execute("truncate pgqueuer.pgqueuer")
    return {"mails_per_s": round((waiting - left) / took, 1)}


async def run_machine(stack: Stack, seed: int) -> Figures:
    """What every commit and every step from process to process waits for at least, on a system at rest."""
    return {
        "disk_sync_ms": latency.percentiles(await asyncio.to_thread(disk.syncs, stack.state.root)),
        "hand_over_ms": latency.percentiles(await machine.handed_on(_HANDED_ON_PER_S, _HANDED_ON, seed)),
    }


async def run_latency(
    stack: Stack, lead: list[Row], rows: list[Row], per_s: float, seed: int, name: str
) -> tuple[Figures, Figures]:
    """Latencies at one load, after the rows of ``lead`` at the same: the figures, and every single one.

    Raises latency.NotSeen.
    """
    # What a part before has left to be written would be written beside these events, and weigh on their commits; and
    # what follows a checkpoint writes whole pages.
    async with administrator(stack.target) as connection:
        await connection.execute("checkpoint")
    await asyncio.to_thread(os.sync)
    await latency.measure(stack.target, lead, per_s, seed)
    with processes.cpu_seconds(stack) as cpu:
        found = await latency.measure(stack.target, rows, per_s, seed)
    figures = {
        f"latency_ms_at_{name}": latency.percentiles(found.to_alert),
        f"out_latency_ms_at_{name}": latency.percentiles(found.to_fact),
        # Hardly any two events share a transaction here, so one costs many times what it costs under full load.
        f"cpu_us_per_event_at_{name}": {process: round(1e6 * used / len(rows)) for process, used in cpu.items()},
    }
    return figures, {f"latencies_at_{name}": asdict(found)}


async def run_restarts(stack: Stack, rows: Iterator[Row]) -> Figures:
    """Each part killed once."""
    async with administrator(stack.target) as connection:
        return {"restart_to_first_fact_s": await restarts.measure(stack, rows, RutaProgress(connection))}


async def run_replay(stack: Stack, load: Load) -> Figures:
    """Rows that were applied before, all at once again: every one gets its answer and its leaves."""
    rows = tuple(row for row in load.rows() if row.outcome == "applied")
    async with administrator(stack.target) as connection:
        done = await saturate.run([rows], Sender(stack.target), RutaProgress(connection))
    return {"replayed_events_per_s": round(done.events_per_s, 1), "replay_run": _kept(done)}


async def run_rebuild(stack: Stack) -> Figures:
    """All states folded from all facts again, and compared with those stored."""
    async with administrator(stack.target) as connection:
        await connection.execute("set search_path to referrals")
        began = time.monotonic()
        found = await refold(connection)
        seconds = time.monotonic() - began
    if found.differences:
        raise OutcomesDiffer(f"{len(found.differences)} states are not the fold of their facts")
    return {"rebuilt_facts_per_s": round(found.facts / seconds, 1)}


@contextmanager
def mails_waiting(stack: Stack) -> Iterator[None]:
    """Hold the mail sink still, so that mails wait in their queue."""
    pid = stack.pid("mail")
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def flat(load: Load) -> list[Row]:
    """All rows, each referral's in their order, without those that answer nobody."""
    return [row for row in chain(*load.waves) if row.outcome == "applied"]


def _per_event(cpu: Mapping[str, float], done: Saturated) -> dict[str, int]:
    return {name: round(1e6 * seconds / done.events) for name, seconds in cpu.items()}


def _kept(done: Saturated) -> Figures:
    return {name: round(value, 3) for name, value in asdict(done).items()}
