"""Runs faults one after the other under load, and holds the ledger against the system after each."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import isnan
from random import Random
from statistics import median

from aiokafka.errors import KafkaError

from deploy.bench.progress import RutaProgress, administrator
from deploy.demo.stories import CANARY
from deploy.embedded.errors import StackError
from deploy.faults.scenarios import MOVES, Fault
from deploy.faults.system import System, system
from deploy.faults.waiting import eventually
from deploy.ledger import ledger
from deploy.ledger.checks import Kind
from services.runtime import database, failpoints

RUNS_PER_SYSTEM = 20
"""The ledger looks at everything there is, so a system that has seen much is slow to judge."""

LEGEND = """
median s, most s   from the end of the fault until everything that had stopped works again
first s, most s    from the last kill until there is something new, which no killed process had begun
broken             runs after which the ledger did not hold, or something else was not as it must be
sessions           that the services have open in PostgreSQL"""

MOVES_WITHIN = 120.0
"""Seconds in which the services must work again; the goal is a few."""

NOT_MEASURED = float("nan")

_QUIET_WITHIN = 240

WORTH_TELLING = 10.0
"""Seconds from which it is told what a run has spent its time with."""

_AWAY = (StackError, *database.AWAY)


@dataclass(frozen=True)
class Result:
    """One run: seconds until work went on, and what broke.

    ``recovered``: from the end of the fault until every stopped service had done something. ``first``: from the last
    kill until they had done something that no killed process had begun; NaN where nothing was killed. ``mebibytes``:
    resident memory of the largest service process afterwards; ``sessions``: what all of them together then have open in
    PostgreSQL. Neither may grow from run to run on one system. ``notes``: figures of this fault for people.
    """

    fault: str
    seed: int
    recovered: float
    first: float
    records: int
    lost: int
    doubled: int
    mebibytes: float
    sessions: int
    notes: tuple[str, ...]
    problems: tuple[str, ...]


Report = Callable[[Result], None]


async def run(
    faults: Iterable[Fault],
    seed: int,
    *,
    begun: Callable[[str], None] = lambda what: None,
    report: Report = lambda result: None,
) -> list[Result]:
    """Run these in their order; a system is shared by neighbours with the same setting until something breaks.

    ``begun`` is told what begins, ``report`` what came of it.
    """
    results: list[Result] = []
    random = Random(seed)  # noqa: S311 - a run that can be repeated
    for setting, group in groupby(faults, key=lambda fault: fault.setting):
        waiting = list(group)
        while waiting:
            one = random.randrange(2**31)
            begun(f"a system is started ({setting})")
            async with system(setting, one) as running:
                shared = waiting[:RUNS_PER_SYSTEM]
                for number, fault in enumerate(shared, 1):
                    waiting.pop(0)
                    begun(fault.name)
                    # Looking for personal data reads everything there is: once for each system.
                    result = await _run(running, fault, seed, CANARY if number == len(shared) else None)
                    results.append(result)
                    report(result)
                    if result.problems:
                        running.place.failed = True
                        break
    return results


async def _run(running: System, fault: Fault, seed: int, canary: str | None) -> Result:
    recovered, first, problems = NOT_MEASURED, NOT_MEASURED, list[str]()
    running.begin()
    since = time.monotonic()

    def done(what: str) -> None:
        nonlocal since
        before, since = since, time.monotonic()
        if since - before > WORTH_TELLING:
            running.notes.append(f"{what} took {since - before:.0f} s")

    try:
        await running.steady()
        since = time.monotonic()
        async with running.load.flowing():
            await fault.breaks(running)
            since = time.monotonic()
            recovered, first = await asyncio.gather(_recovered(running, fault.stopped), _first(running, fault.stopped))
            done("working again")
        done("answering everything")
        await running.all_ready()
        done("being ready")
    except (AssertionError, StackError, ExceptionGroup) as error:
        problems.append(f"{type(error).__name__}: {error}")
    failpoints.disarm(running.failpoints)
    try:
        found = await ledger.check(running.stack.target, canary, within=_QUIET_WITHIN)
    except (*_AWAY, KafkaError) as error:
        problems.append(f"{type(error).__name__}: {error}")
        return Result(fault.name, seed, recovered, first, 0, 0, 0, 0.0, 0, tuple(running.notes), tuple(problems))
    done("coming to rest, with the ledger,")
    if not problems and found.applied != running.load.declared():
        problems.append(f"{running.load.declared()} declarations were made and {found.applied} applied")
    kinds = Counter(misfit.kind for misfit in found.problems)
    return Result(
        fault.name, seed, recovered, first, found.published, kinds[Kind.LOST], kinds[Kind.DOUBLED],
        running.memory() / 2**20, await running.sessions(), tuple(running.notes),
        (*problems, *map(str, found.problems)),
    )  # fmt: skip


async def _first(running: System, stopped: Sequence[str]) -> float:
    """Seconds from the last kill until each of these services has done what is counted anew once the successors are
    there: what was under way before is not new. Raises Late."""
    if not running.killed:
        return NOT_MEASURED
    await running.succeeded()
    await _recovered(running, stopped)
    return time.monotonic() - running.killed_at


async def _recovered(running: System, stopped: Sequence[str]) -> float:
    """Seconds until each of these services has done something. Raises Late."""
    began, wanted = time.monotonic(), {MOVES[service] for service in stopped}
    before: Mapping[str, int] | None = None

    async def moved() -> bool:
        nonlocal before
        now = await _counts(running)
        if before is None or now is None:  # PostgreSQL itself was away: nothing has been done yet
            before = before or now
            return False
        return all(now[name] > before[name] for name in wanted)

    await eventually(moved, MOVES_WITHIN, f"{', '.join(stopped)} working again")
    return time.monotonic() - began


async def _counts(running: System) -> Mapping[str, int] | None:
    try:
        async with administrator(running.stack.target) as connection:
            progress = RutaProgress(connection)
            return {name: await getattr(progress, name)() for name in MOVES.values()}
    except _AWAY:
        return None


def summary(results: Sequence[Result]) -> str:
    """A line for each fault: runs, what was lost and doubled, how many ledgers broke, seconds until work went on."""
    by_fault: dict[str, list[Result]] = {}
    for result in results:
        by_fault.setdefault(result.fault, []).append(result)
    names = (
        "runs", "lost", "doubled", "broken", "median s", "most s", "first s", "most s", "most MiB", "sessions",
    )  # fmt: skip
    lines = [f"{'fault':<44}" + "".join(f"{name:>10}" for name in names)]
    for name, runs in by_fault.items():
        figures = (
            len(runs), sum(run.lost for run in runs), sum(run.doubled for run in runs),
            sum(bool(run.problems) for run in runs),
            *_middle_and_most([run.recovered for run in runs]), *_middle_and_most([run.first for run in runs]),
            f"{max(run.mebibytes for run in runs):.0f}", max(run.sessions for run in runs),
        )  # fmt: skip
        lines.append(f"{name:<44}" + "".join(f"{figure:>10}" for figure in figures))
    return "\n".join((*lines, LEGEND))


def _middle_and_most(seconds: Iterable[float]) -> tuple[str, str]:
    known = [one for one in seconds if not isnan(one)]
    return (f"{median(known):.2f}", f"{max(known):.2f}") if known else ("-", "-")
