"""Institutions that work while something breaks, and the proof afterwards that nothing was lost or doubled."""

import asyncio
import dataclasses
import logging
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psutil

from contracts.directory import SEED, load
from deploy.demo.play import Play, playing
from deploy.demo.stories import CANARY, Story, draw
from deploy.embedded.stack import Stack
from deploy.ledger import ledger
from tests.support.wire import eventually

SEED_OF_STORIES = 20261124
PER_SECOND = 10
MOST = 3_000
"""Stories; more than any test lasts for."""


@dataclass
class Load:
    """What was opened so far. ``others``: declarations that a test makes itself and that are applied."""

    play: Play
    opened: list[Story] = field(default_factory=list)
    others: int = 0


@asynccontextmanager
async def under_load(stack: Stack) -> AsyncIterator[Load]:
    """Referrals are made, answered and closed while the block runs; at its end the ledger must hold."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the clients' own reports of the outage
    stories = draw(load(SEED), MOST, SEED_OF_STORIES, datetime.now(UTC).date())
    async with playing(stack.target) as play:
        made, enough = Load(play), asyncio.Event()
        opening = asyncio.ensure_future(_open(made, stories, enough))
        try:
            await progress(made)
            yield made
        finally:
            enough.set()
        await opening
        await eventually(lambda: _none_left(play), 200, "an answer for every declaration")
        await eventually(lambda: _all_opened(play), 30, "every sealed part opened by its recipient")
    found = await ledger.check(stack.target, CANARY, within=180)
    assert found.problems == ()
    assert found.applied == sum(len(story.path) for story in made.opened) + made.others


async def _open(made: Load, stories: tuple[Story, ...], enough: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as group:
        for story in stories:
            if enough.is_set():
                return
            # Mistakes are left out: what is sent again after a fault is mistake enough.
            proper = dataclasses.replace(story, mistake=None)
            made.opened.append(proper)
            group.create_task(made.play.request(proper))
            await asyncio.sleep(1 / PER_SECOND)


async def progress(made: Load) -> None:
    """Wait until more was opened and more was answered, so that the next fault hits something."""
    opened, answered = len(made.opened), _answered(made.play)

    async def moved() -> bool:
        return len(made.opened) > opened + PER_SECOND // 2 and _answered(made.play) > answered

    await eventually(moved, 60, "progress")


def _answered(play: Play) -> int:
    return sum(actor.answers.total() for actor in play.actors.values())


async def _none_left(play: Play) -> bool:
    return play.unanswered() == 0


async def _all_opened(play: Play) -> bool:
    return not play.untold()


async def killed(stack: Stack, name: str) -> None:
    """SIGKILL a part; returns when its successor answers."""
    pid = stack.pid(name)
    stack.kill(name)
    await eventually(lambda: _another(stack, name, pid), 60, f"{name} starting again")
    await stack.wait_ready(name, 60)


async def _another(stack: Stack, name: str, pid: int | None) -> bool:
    return stack.pid(name) not in (None, pid)


@contextmanager
def frozen(pid: int | None) -> Iterator[None]:
    """A process and all its children, stopped: connections stay open and nobody answers."""
    assert pid is not None
    process = psutil.Process(pid)
    everyone = [process, *process.children(recursive=True)]
    for one in everyone:
        one.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for one in everyone:
            one.send_signal(signal.SIGCONT)
