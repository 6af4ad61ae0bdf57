"""`ruta bench`: speed as ratios within one run, on throwaway systems on this machine only."""

import json
import os
import platform
import sys
from collections.abc import AsyncIterator, Collection, Coroutine
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from secrets import randbelow
from typing import Any, TypeVar

import uvloop

from contracts.directory import SEED, Directory
from contracts.directory import load as read_directory
from deploy import interruption
from deploy.bench import chart, load, parts, processes, profile, report, soak
from deploy.embedded.errors import StackError
from deploy.embedded.ports import Ports
from deploy.embedded.stack import Stack
from deploy.embedded.state import default_root, make_folder, write_private
from deploy.throwaway import throwaway

T = TypeVar("T")

PARTS = ("naive", "ruta", "ceiling", "latency", "restarts", "replay", "rebuild")
SOAK = "soak"
"""A part that takes as long as it is told to, on a system of its own; only when it is named."""
PROFILE = "profile"
"""Full load with a sampler beside the services, on a system of its own; only when it is named: it costs speed."""
APART = {SOAK, PROFILE}

_LATENCY_SECONDS = 20.0
_LEAD = 0.25
"""So many events more, by their number, before those that are measured: a steady load, not its beginning."""
_SPARE_EVENTS = 40
"""Rows for what is killed and asked again."""


def run(
    wanted: Collection[str],
    events: int,
    naive_events: int,
    seed: int | None,
    as_json: bool,
    keep: Path | None,
    workers: int,
    minutes: float,
    per_second: float,
) -> int:
    """Measure the wanted parts (all but those apart, if none is named) and print them; raw results go to ``keep``."""
    unknown = set(wanted) - {*PARTS, *APART}
    if unknown:
        known = ", ".join((*PARTS, SOAK, PROFILE))
        raise StackError(f"There is no part {min(unknown)} of the benchmark: the parts are {known}.")
    drawn = seed if seed is not None else randbelow(2**31)
    folder = keep or default_root() / "bench"
    result: dict[str, Any] = {}
    if not wanted or set(wanted) - APART:
        result, raw = _run(measure(set(wanted) - APART or set(PARTS), events, naive_events, drawn, workers))
        say(f"raw results: {_keep(folder, result, raw)}")
    if PROFILE in wanted:
        stacks = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-stacks"
        make_folder(folder, 0o700)
        make_folder(stacks, 0o700)
        result |= _machine() | {"seed": drawn, "profile": _run(profiled(stacks, events, drawn, workers))}
        say(f"raw results: {_keep(folder, result, {})}, stacks for any flame graph: {stacks}")
    if SOAK in wanted:
        found, samples = _run(soaked(minutes, per_second, drawn, workers))
        result |= _machine() | {"seed": drawn, "soak": found}
        kept = _keep(folder, result, {"samples": [asdict(one) for one in samples]})
        write_private(kept.with_suffix(".svg"), chart.draw(samples))
        say(f"raw results: {kept}, chart: {kept.with_suffix('.svg')}")
    print(json.dumps(result) if as_json else report.table(result))
    return 0


def _run(work: Coroutine[Any, Any, T]) -> T:
    return interruption.run(work, uvloop.run)


async def soaked(minutes: float, per_s: float, seed: int, workers: int) -> tuple[dict[str, Any], list[soak.Sample]]:
    """The figures of a soak on a system of its own, and its samples."""
    async with _stack(workers) as stack:
        await _started(stack)
        return await soak.run(stack, read_directory(SEED), minutes, per_s, seed, say)


async def profiled(folder: Path, events: int, seed: int, workers: int) -> dict[str, Any]:
    """Where the time of an event goes, on a system of its own."""
    directory = read_directory(SEED)
    rows, warm = load.make(directory, events, seed), load.make(directory, parts.WARM_UP, seed + 1)
    async with _stack(workers) as stack:
        await _started(stack)
        say("profile: full load, sampled")
        return await profile.run(stack, rows, warm, folder)


async def _started(stack: Stack) -> None:
    await stack.start(*stack.services)
    for name in stack.services:
        await stack.wait_ready(name, 60)


async def measure(
    wanted: Collection[str],
    events: int,
    naive_events: int,
    seed: int,
    workers: int = 1,
    latency_events: int = 1_000,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The figures of the wanted parts by name, and the raw numbers behind them."""
    directory = read_directory(SEED)
    say(f"{events} events, seed {seed}: making the rows")
    rows, warm = load.make(directory, events, seed), load.make(directory, parts.WARM_UP, seed + 1)
    result: dict[str, Any] = {"seed": seed, "events": rows.events, "referrals": rows.referrals, "workers": workers}
    result |= _machine()
    raw: dict[str, Any] = {}
    if "naive" in wanted:
        few = rows.part(naive_events)
        say(f"naive: the same rows of the first {few.referrals} referrals, {few.events} events")
        async with _stack() as stack:
            result |= await parts.run_naive(stack, few, warm)
    if set(wanted) - {"naive"}:
        async with _stack(workers) as stack:
            await _measure_ruta(stack, directory, wanted, rows, warm, latency_events, result, raw)
    return report.with_ratios(result), raw


async def _measure_ruta(
    stack: Stack,
    directory: Directory,
    wanted: Collection[str],
    rows: load.Load,
    warm: load.Load,
    latency_events: int,
    result: dict[str, Any],
    raw: dict[str, Any],
) -> None:
    await _started(stack)
    before = processes.rss_mib(stack)
    with parts.mails_waiting(stack):
        say("ruta: full load")
        result |= await parts.run_ruta(stack, rows, warm)
        if "ceiling" in wanted:
            say("ceiling: its rows, only copied")
            result |= await parts.run_ceiling(stack, rows, warm)
    say("mails: sending what waited")
    result |= await parts.run_mails(stack)
    if "latency" in wanted:
        await _latencies(stack, directory, rows.seed, latency_events, result, raw)
    if "restarts" in wanted:
        say("restarts: killing each part")
        spare = load.make(directory, _SPARE_EVENTS, rows.seed + 4)
        result |= await parts.run_restarts(stack, iter(parts.flat(spare)))
    if "replay" in wanted:
        say("replay: the applied rows again")
        result |= await parts.run_replay(stack, rows)
    if "rebuild" in wanted:
        say("rebuild: all states from all facts")
        result |= await parts.run_rebuild(stack)
    result["rss_mib"] = {"before": before, "after": processes.rss_mib(stack)}


async def _latencies(
    stack: Stack, directory: Directory, seed: int, most: int, result: dict[str, Any], raw: dict[str, Any]
) -> None:
    say("latency: the disk and the processors alone")
    result |= await parts.run_machine(stack, seed)
    tenth = result["ruta_events_per_s"] / 10
    for number, (name, per_s) in enumerate((("50_per_s", 50.0), ("10_percent", tenth))):
        count = round(min(most, per_s * _LATENCY_SECONDS))
        say(f"latency: {count} events at {per_s:.0f} per second")
        made = load.make(directory, count, seed + 2 + number)
        lead = load.make(directory, round(count * _LEAD), seed + 5 + number)
        figures, every = await parts.run_latency(stack, parts.flat(lead), parts.flat(made), per_s, seed, name)
        result |= figures
        raw |= every


@asynccontextmanager
async def _stack(workers: int = 1) -> AsyncIterator[Stack]:
    with throwaway("ruta-bench-") as place:
        ports = Ports.free(workers)
        async with Stack(place.state, ports, report=lambda what, how: say(f"{what}: {how}")) as stack:
            yield stack


def _machine() -> dict[str, Any]:
    return {"processors": os.cpu_count(), "python": platform.python_version(), "load_average": os.getloadavg()[0]}


def _keep(folder: Path, result: dict[str, Any], raw: dict[str, Any]) -> Path:
    make_folder(folder, 0o700)
    file = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    write_private(file, json.dumps({"result": result, "raw": raw}) + "\n")
    return file


def say(text: str) -> None:
    """Progress, for who waits at the terminal."""
    print(text, file=sys.stderr, flush=True)
