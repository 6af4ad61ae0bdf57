"""How long this machine takes to hand something on from process to process, whatever runs above.

    python -m deploy.bench.machine --per-second 50 --times 500 --seed 7

An alert is handed on some twenty times, so a machine whose processors are away for a moment now and then (a host that
is shared, sleeping that is left slowly) sets what the slowest of a hundred alerts can take. Prints milliseconds, a line
for each thing that was handed on.
"""

import argparse
import asyncio
import hashlib
import os
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

PROCESSES = 10
WORK_MS = 0.5
"""What each does before it hands on, in milliseconds of this processor while nothing disturbs it."""

_SENT_AT = struct.Struct("d")
_ROUNDS = 100
_TRIES = 50


async def handed_on(per_s: float, times: int, seed: int) -> tuple[float, ...]:
    """Milliseconds from the first of PROCESSES to the last, each time; ``per_s`` of them begin, at random moments.

    Raises RuntimeError if it could not be measured.
    """
    options = ("--per-second", str(per_s), "--times", str(times), "--seed", str(seed))
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__, *options),
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await child.communicate()
    found = tuple(float(line) for line in printed.split())
    if child.returncode or len(found) != times:
        raise RuntimeError(f"{len(found)} of {times} were handed on")
    return found


def measure(per_s: float, times: int, seed: int) -> Iterator[float]:
    """What ``handed_on`` gives; for a process of its own without threads, which it forks."""
    random = Random(seed)  # noqa: S311 - a load that can be repeated
    with _chain(_rounds()) as (first, last):
        if (sender := os.fork()) == 0:
            due = time.monotonic()
            for _ in range(times):
                due += random.expovariate(per_s)
                time.sleep(max(0.0, due - time.monotonic()))
                os.write(first, _SENT_AT.pack(time.monotonic()))
            os._exit(0)
        os.close(first)
        while sent_at := os.read(last, _SENT_AT.size):
            yield 1000 * (time.monotonic() - _SENT_AT.unpack(sent_at)[0])
        os.waitpid(sender, 0)


@contextmanager
def _chain(rounds: int) -> Iterator[tuple[int, int]]:
    """Where to write what is handed on, and where it comes out; who stands in the chain ends with who stands before."""
    begin, first = os.pipe()
    taken, children = begin, []
    for _ in range(PROCESSES):
        following, given = os.pipe()
        if (child := os.fork()) == 0:
            os.close(first)
            while message := os.read(taken, _SENT_AT.size):
                _work(rounds)
                os.write(given, message)
            os._exit(0)
        children.append(child)
        os.close(given)
        os.close(taken)
        taken = following
    yield first, taken
    for child in children:
        os.waitpid(child, 0)


def _work(rounds: int) -> None:
    digest = b""
    for _ in range(rounds):
        digest = hashlib.sha256(digest).digest()


def _rounds() -> int:
    """So many take WORK_MS when nothing comes between: the quickest of many tries."""
    quickest = min(_took(_ROUNDS) for _ in range(_TRIES))
    return max(1, round(_ROUNDS * WORK_MS / quickest))


def _took(rounds: int) -> float:
    began = time.monotonic()
    _work(rounds)
    return 1000 * (time.monotonic() - began)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="How long this machine alone takes to hand something on.")
    parser.add_argument("--per-second", type=float, required=True)
    parser.add_argument("--times", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    asked = parser.parse_args()
    for milliseconds in measure(asked.per_second, asked.times, asked.seed):
        print(f"{milliseconds:.3f}")
