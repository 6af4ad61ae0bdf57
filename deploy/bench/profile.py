"""Where the time of an event goes: processor time by process, and inside each by session, thread or layer of the code.

The services are sampled from outside by py-spy, so the profiled code is the code that runs always.
"""

import asyncio
import re
import shutil
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from deploy.bench import parts, processes, saturate
from deploy.bench.load import Load
from deploy.bench.progress import SQL, RutaProgress, administrator
from deploy.bench.publish import Sender
from deploy.embedded.errors import StackError
from deploy.embedded.stack import Stack

SAMPLES_PER_S = 200
_ATTACHED_WITHIN = 15.0
_SHOWN = 12

_FRAME = re.compile(r"^(?P<function>.*) \((?P<file>[^()]*):\d+\)$")

_LAYERS = (
    ("decode and decide", ("contracts/", "services/referrals/fold", "services/referrals/lifecycle", "pydantic/")),
    ("route and render", ("services/notifications/routing", "services/notifications/render", "email/")),
    ("tree, leaves and seals", ("services/audit/",)),
    (
        "Kafka client",
        ("aiokafka/", "faststream/", "fast_depends/", "services/runtime/kafka", "services/runtime/records"),
    ),
    ("database client", ("asyncpg/", "pgqueuer/")),
    ("shell of the service", ("services/",)),
    ("event loop, sockets, C code of clients", ("asyncio/", "uvloop")),
)
"""By the innermost frame that is somebody's here; the first layer that fits."""

Stacks = Mapping[str, int]
"""Samples by folded stack: frames from the outermost, divided by semicolons."""


async def run(stack: Stack, load: Load, warm: Load, folder: Path) -> dict[str, Any]:
    """Microseconds per event by process and by what is inside it; folded stacks of each service go to ``folder``.

    Raises StackError where this user may not look into processes. Sampling itself takes a part of the machine: shares
    can be trusted more than sums.
    """
    sender = Sender(stack.target)
    async with administrator(stack.target) as connection:
        progress = RutaProgress(connection)
        with parts.mails_waiting(stack):
            await saturate.run(warm.waves, sender, progress)
            names = {row["pid"]: row["name"] for row in await connection.fetch(SQL["sessions"])}
            disk, sessions, threads = await _disk(connection), _sessions(stack), _threads(stack)
            async with _sampling(stack, folder):
                with processes.cpu_seconds(stack) as cpu:
                    done = await saturate.run(load.waves, sender, progress)
            sessions_after, threads_after, disk_after = _sessions(stack), _threads(stack), await _disk(connection)

    def per_event(seconds: float) -> int:
        return round(1e6 * seconds / done.events)

    used = {name: per_event(seconds) for name, seconds in cpu.items()}
    inside: dict[str, dict[str, int]] = {
        "postgres": _by_name({names.get(pid, "other"): s - sessions.get(pid, 0.0) for pid, s in sessions_after.items()},
                             per_event),
        "kafka": _by_name({name: s - threads.get(name, 0.0) for name, s in threads_after.items()}, per_event),
    }  # fmt: skip
    hottest = {}
    for name in stack.services:
        stacks = read((folder / f"{name}.folded").read_text("utf-8"))
        total = sum(stacks.values()) or 1
        inside[name] = _by_name(layers(stacks), lambda count, us=used[name] / total: round(us * count))
        hottest[name] = {place: round(100 * count / total, 1) for place, count in innermost(stacks).most_common(_SHOWN)}
    return {
        "events": done.events,
        "cpu_us_per_event": used,
        "inside_us_per_event": inside,
        "hottest_percent": hottest,
        "postgres_io_per_1000_events": {
            what: round(1000 * (count - disk.get(what, 0)) / done.events, 1) for what, count in disk_after.items()
        },
    }


def read(text: str) -> Stacks:
    """Folded stacks as py-spy writes them."""
    lines = (line.rpartition(" ") for line in text.splitlines())
    return {frames: int(count) for frames, _, count in lines}


def layers(stacks: Stacks) -> Counter[str]:
    """Samples by layer of the code."""
    found: Counter[str] = Counter()
    for frames, count in stacks.items():
        found[_layer(frames.split(";"))] += count
    return found


def innermost(stacks: Stacks) -> Counter[str]:
    """Samples by the function that was running, without its line."""
    found: Counter[str] = Counter()
    for frames, count in stacks.items():
        place = _FRAME.match(frames.rpartition(";")[2])
        found[f"{place['function']} ({place['file']})" if place else frames] += count
    return found


def _layer(frames: Iterable[str]) -> str:
    for frame in reversed(list(frames)):
        place = _FRAME.match(frame)
        for name, prefixes in _LAYERS:
            if place and place["file"].startswith(prefixes):
                return name
    return "other"


@asynccontextmanager
async def _sampling(stack: Stack, folder: Path) -> AsyncIterator[None]:
    """py-spy beside every service while the block runs."""
    program = shutil.which("py-spy", path=str(Path(sys.executable).parent))
    if program is None:
        raise StackError("The profile needs py-spy: it comes with the development packages, start with ./ruta.")
    running = []
    try:
        for name in stack.services:
            file = folder / f"{name}.folded"
            # Only who holds the interpreter: waiting in the event loop looks like work otherwise.
            options = (
                "--gil",
                "--format",
                "raw",
                "--rate",
                str(SAMPLES_PER_S),
                "--duration",
                "3600",
                "--output",
                str(file),
            )
            running.append(
                await asyncio.create_subprocess_exec(
                    *(program, "record", "--pid", str(stack.pid(name)), *options),
                    stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
                )
            )  # fmt: skip
        for one in running:
            await _attached(one)
        yield
    finally:
        for one in running:
            if one.returncode is None:
                one.send_signal(2)  # it writes its file when it is interrupted
            await one.wait()


async def _attached(sampler: asyncio.subprocess.Process) -> None:
    assert sampler.stdout is not None
    async with asyncio.timeout(_ATTACHED_WITHIN):
        while line := await sampler.stdout.readline():
            if b"Sampling" in line:
                return
    raise StackError("py-spy may not look into the services: profile as root, or with kernel.yama.ptrace_scope=0.")


def _by_name(seconds: Mapping[str, float], per_event: Any) -> dict[str, int]:
    found = {name: per_event(used) for name, used in seconds.items()}
    return {name: used for name, used in sorted(found.items(), key=lambda one: -one[1]) if used}


def _sessions(stack: Stack) -> dict[int, float]:
    server = psutil.Process(stack.pid("postgres"))
    return {one.pid: sum(one.cpu_times()[:2]) for one in server.children(recursive=True)}


def _threads(stack: Stack) -> dict[str, float]:
    """Processor seconds of Kafka's threads, those that differ by a number only together."""
    found: Counter[str] = Counter()
    for thread in Path(f"/proc/{stack.pid('kafka')}/task").iterdir():
        head, _, rest = (thread / "stat").read_text("ascii", "replace").rpartition(")")
        fields = rest.split()
        found[head.partition("(")[2]] += (int(fields[11]) + int(fields[12])) / 100  # type: ignore[assignment]
    return dict(found)


async def _disk(connection: asyncpg.Connection) -> dict[str, int]:
    row = await connection.fetchrow(SQL["disk"])
    return dict(row)
