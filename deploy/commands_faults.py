"""`ruta faults`: the faults by name, or all of them, once or for as long as is asked."""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from fnmatch import fnmatchcase
from math import isnan
from random import Random
from secrets import randbelow

from deploy import interruption
from deploy.embedded.errors import StackError
from deploy.faults.matrix import Result, summary
from deploy.faults.matrix import run as run_all
from deploy.faults.scenarios import FAULTS, Fault


def run(names: Sequence[str], seed: int | None, minutes: float | None, *, listed: bool, as_json: bool) -> int:
    """Run the faults that match a name or pattern; returns 0 only if every ledger held. Raises StackError."""
    chosen = [fault for fault in FAULTS if not names or any(fnmatchcase(fault.name, name) for name in names)]
    if not chosen:
        raise StackError("No fault has such a name: see ./ruta faults --list.")
    if listed:
        print("\n".join(fault.name for fault in chosen))
        return 0
    drawn = seed if seed is not None else randbelow(2**31)
    _say(f"seed {drawn}")
    rounds = _rounds(chosen, drawn, minutes)
    results = [result for part in rounds for result in interruption.run(run_all(*part, begun=_begun, report=_told))]
    print(json.dumps([_plain(result) for result in results]) if as_json else summary(results))
    return 1 if any(result.problems for result in results) else 0


def _rounds(chosen: Sequence[Fault], seed: int, minutes: float | None) -> Iterator[tuple[Sequence[Fault], int]]:
    """Without ``minutes``: all once. With it: drawn anew and anew until the time is over."""
    possible = []
    for fault in chosen:
        if why := fault.setting.unavailable:
            _say(f"SKIPPED {fault.name}: {why}")
        else:
            possible.append(fault)
    if minutes is None:
        yield possible, seed
        return
    ends, random = time.monotonic() + minutes * 60, Random(seed)  # noqa: S311 - a run that can be repeated
    while time.monotonic() < ends:
        drawn = random.sample(possible, min(_AT_ONCE, len(possible)))
        yield sorted(drawn, key=lambda fault: fault.setting), random.randrange(2**31)


_AT_ONCE = 10


def _plain(result: Result) -> dict[str, object]:
    """As JSON has it, which knows no NaN."""
    return {name: None if value != value else value for name, value in asdict(result).items()}


def _begun(what: str) -> None:
    _say(f"{what} …")


def _told(result: Result) -> None:
    verdict = "ledger held" if not result.problems else f"BROKEN: {' | '.join(result.problems[:5])}"
    said = [verdict, f"{result.records} records", f"working after {result.recovered:.2f} s"]
    if not isnan(result.first):
        said.append(f"something new {result.first:.2f} s after the kill")
    _say(f"{result.fault}: {', '.join((*said, *result.notes))}")


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
