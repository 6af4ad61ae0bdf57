"""Keeps child processes running, and leaves none behind.

Every child leads a session of its own, so Ctrl-C at the terminal reaches only the supervisor, and asks the kernel
for a signal when its parent dies, so that nothing is left even after `kill -9` of the supervisor.
"""

import asyncio
import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from deploy.embedded.account import Account

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
# Seconds after which a child counts as healthy and the pause begins small again: since it answered, or merely alive.
ANSWERED_FOR = 2.0
ALIVE_FOR = 10.0
PROBE_EVERY = 0.05
PROBE_ENDS_WITHIN = 5.0
LARGEST_LOG = 20 * 2**20  # bytes; a larger log file is put aside (one old one is kept) when its child starts

# Run in place of the child just before it: by then the death signal is set, so a parent that died in between is
# noticed here. $0 is the supervisor's pid.
_ONLY_WITH_PARENT = 'test "$PPID" = "$0" && exec "$@"'
_log = logging.getLogger(__name__)


class Phase(StrEnum):
    """STARTING until the child answered its probe; RESTARTING from a death until it answered again."""

    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Command:
    """How to run one child. `probe` says whether it really answers; it may raise while the child is not up."""

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    directory: Path
    probe: Callable[[], Awaitable[bool]]
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL


@dataclass(frozen=True)
class Status:
    """What a child is doing. `since` is in time.monotonic() seconds; `exit_code` is the last one (-N = signal N)."""

    name: str
    phase: Phase
    pid: int | None
    restarts: int
    since: float
    exit_code: int | None


@dataclass
class _Child:
    command: Command
    stopping: asyncio.Event
    running: asyncio.Event
    phase: Phase = Phase.STARTING
    pid: int | None = None
    restarts: int = 0
    since: float = 0.0
    exit_code: int | None = None
    task: asyncio.Task[None] | None = None

    def turn(self, phase: Phase) -> None:
        self.phase = phase
        self.since = time.monotonic()


class Supervisor:
    """Children by name. All methods belong to one event loop, which must run in the main thread.

    The kernel sends the death signal when the *thread* that forked ends, hence the main thread.
    """

    def __init__(self, logs: Path, changed: Callable[[], None] = lambda: None) -> None:
        """`changed` is called whenever a child begins, answers or ends; its OSError is logged and harms no child."""
        self._logs = logs
        self._on_change = changed
        self._children: dict[str, _Child] = {}

    def start(self, command: Command) -> None:
        """Start and keep a child; a stopped one of the same name is replaced, a running one is an error."""
        old = self._children.get(command.name)
        if old is not None and old.phase is not Phase.STOPPED:
            raise ValueError(f"{command.name} already runs")
        child = _Child(command, asyncio.Event(), asyncio.Event(), since=time.monotonic())
        child.task = asyncio.create_task(self._keep(child), name=f"keep {command.name}")
        self._children[command.name] = child

    def statuses(self) -> tuple[Status, ...]:
        """Every child that was ever started, in that order."""
        return tuple(
            Status(name, child.phase, child.pid, child.restarts, child.since, child.exit_code)
            for name, child in self._children.items()
        )

    def pid(self, name: str) -> int | None:
        """The child's pid, None while it has none."""
        return self._children[name].pid

    def log(self, name: str) -> Path:
        """The file with the child's standard output and error."""
        return self._logs / f"{name}.log"

    async def answered(self, name: str) -> None:
        """Wait until the child answers its probe; returns at once while it is running."""
        await self._children[name].running.wait()

    def kill(self, name: str) -> None:
        """SIGKILL, as a fault: the child is started again, and `answered` waits for the new one."""
        child = self._children[name]
        child.running.clear()
        _signal(child.pid, signal.SIGKILL)

    async def stop(self, *names: str, grace: float) -> None:
        """Stop these children together: their stop signal, after `grace` seconds SIGKILL. Unknown names are skipped."""
        children = [self._children[name] for name in names if name in self._children]
        for child in children:
            child.stopping.set()
            _signal(child.pid, child.command.stop_signal)
        tasks = [child.task for child in children if child.task is not None]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=grace)
        if late:
            for child in children:
                _signal(child.pid, signal.SIGKILL)
            await asyncio.wait(tasks, timeout=grace)

    async def _keep(self, child: _Child) -> None:
        pause = FIRST_PAUSE
        while not child.stopping.is_set():
            began = time.monotonic()
            try:
                await self._run_once(child)
            except OSError as problem:  # the program cannot be started: as good as a death
                # On a full disk this cannot be told either; the next start may find room.
                with contextlib.suppress(OSError), self.log(child.command.name).open("a", encoding="utf-8") as log:
                    log.write(f"{problem}\n")
            if child.stopping.is_set():
                break
            now = time.monotonic()
            answered = child.phase is Phase.RUNNING and now - child.since >= ANSWERED_FOR
            if answered or now - began >= ALIVE_FOR:
                pause = FIRST_PAUSE
            child.restarts += 1
            child.turn(Phase.RESTARTING)
            self._changed()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await child.stopping.wait()
            pause = min(pause * 2, LONGEST_PAUSE)
        child.turn(Phase.STOPPED)
        self._changed()

    async def _run_once(self, child: _Child) -> None:
        process = await spawn(child.command, self.log(child.command.name))
        child.pid = process.pid
        if child.stopping.is_set():  # asked to stop while it was being started
            _signal(child.pid, child.command.stop_signal)
        self._changed()
        probing = asyncio.create_task(self._probe(child, process), name=f"probe {child.command.name}")
        try:
            child.exit_code = await process.wait()
        finally:
            child.pid = None  # at once: the number may be another program's soon
            child.running.clear()
            _kill_group(process.pid)  # workers of a dead child must not hold its ports or locks
            probing.cancel()
            # A probe can swallow its cancellation (Python 3.11's wait_for did); nothing may wait for it for ever.
            await asyncio.wait({probing}, timeout=PROBE_ENDS_WITHIN)

    async def _probe(self, child: _Child, process: asyncio.subprocess.Process) -> None:
        while process.returncode is None:
            with contextlib.suppress(Exception):
                if await child.command.probe():
                    break
            await asyncio.sleep(PROBE_EVERY)
        if process.returncode is not None:
            return
        child.turn(Phase.RUNNING)
        child.running.set()
        self._changed()

    def _changed(self) -> None:
        try:
            self._on_change()
        except OSError as problem:  # a full disk ends nobody's care for the children
            _log.warning("what runs could not be described (%s)", problem.strerror)


async def spawn(command: Command, log: Path) -> asyncio.subprocess.Process:
    """Start the command once: own session, death signal, output appended to `log`. Raises OSError."""
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("children must be started from the main thread: their death signal follows the thread")
    # Changing account clears the death signal; setpriv sets it after the change. sh and the program keep it.
    become = command.account.options if command.account else ()
    death = f"--pdeathsig={command.death_signal.name.removeprefix('SIG')}"
    guard = ("sh", "-c", _ONLY_WITH_PARENT, str(os.getpid()))
    arguments = ("setpriv", *become, death, "--", *guard, *command.arguments)
    if log.exists() and log.stat().st_size > LARGEST_LOG:
        log.replace(log.with_suffix(".log.1"))
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(command.environment),
            cwd=command.directory,
            start_new_session=True,
        )


def _signal(pid: int | None, number: signal.Signals) -> None:
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
