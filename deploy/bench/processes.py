"""What each process of a stack uses: memory, and processor time while something is measured."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psutil

from deploy.embedded.stack import Stack


def rss_mib(stack: Stack) -> dict[str, int]:
    """Resident memory by process, MiB. PostgreSQL: its first process, and what its others hold for themselves."""
    found = {}
    for name, process in _processes(stack):
        own = process.memory_info().rss
        found[name] = (own + sum(_private(child) for child in process.children(recursive=True))) // 2**20
    return found


@contextmanager
def cpu_seconds(stack: Stack) -> Iterator[dict[str, float]]:
    """Processor time by process while the block runs; filled when it ends. It depends little on other programs."""
    used: dict[str, float] = {}
    before = _cpu(stack)
    yield used
    used |= {name: round(seconds - before.get(name, 0.0), 2) for name, seconds in _cpu(stack).items()}


def _cpu(stack: Stack) -> Mapping[str, float]:
    found = {}
    for name, process in _processes(stack):
        times = process.cpu_times()
        # PostgreSQL's finished sessions count with their parent.
        total = times.user + times.system + times.children_user + times.children_system
        for child in process.children(recursive=True):
            own = child.cpu_times()
            total += own.user + own.system
        found[name] = total
    return found


def _processes(stack: Stack) -> Iterator[tuple[str, psutil.Process]]:
    for status in stack.statuses():
        if status.pid is not None:
            try:
                yield status.name, psutil.Process(status.pid)
            except psutil.NoSuchProcess:
                continue


def _private(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().uss)
    except psutil.Error:
        return 0
