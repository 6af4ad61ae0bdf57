"""kill -9 of every part of the system, once each, while institutions work: afterwards the ledger holds."""

import asyncio
import dataclasses
import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.directory import SEED, load
from deploy.demo.play import Play, playing
from deploy.demo.stories import CANARY, draw
from deploy.embedded.ports import Ports
from deploy.embedded.stack import SERVICES, Stack
from deploy.ledger import ledger
from tests.support.wire import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(420)]

REFERRALS = 150
SEED_OF_STORIES = 20261124


async def test_every_part_killed_once_under_load(session_folder: Path, anyio_backend: str) -> None:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the clients' own reports of the outage
    print(f"seed {SEED_OF_STORIES}")
    stories = draw(load(SEED), REFERRALS, SEED_OF_STORIES, datetime.now(UTC).date())
    # Mistakes are left out: what is sent again after a fault is mistake enough.
    stories = tuple(dataclasses.replace(story, mistake=None) for story in stories)
    async with Stack(session_folder / "kill", Ports.free()) as stack:
        await stack.start(*SERVICES)
        for name in SERVICES:
            await stack.wait_ready(name, 60)
        async with playing(stack.target) as play:
            opening = asyncio.ensure_future(play.open_all(stories))
            for victim in (*SERVICES, "kafka", "postgres"):
                await progress(play)
                pid = stack.pid(victim)
                stack.kill(victim)
                await eventually(lambda: another(stack, victim, pid), 60, f"{victim} starting again")  # noqa: B023
                await stack.wait_ready(victim, 60)
            await opening
            await eventually(lambda: none_left(play), 200, "an answer for every declaration")
            await eventually(lambda: all_opened(play), 30, "every sealed part opened by its recipient")
        await ledger.quiet(stack.target, within=180)
        found = await ledger.check(stack.target, CANARY)
        restarts = {status.name: status.restarts for status in stack.statuses()}
    assert found.problems == ()
    assert found.applied == sum(len(story.path) for story in stories)
    assert all(restarts[victim] >= 1 for victim in (*SERVICES, "kafka", "postgres"))


async def progress(play: Play) -> None:
    """Wait until a good part of the work is under way, so that the kill hits something."""
    before = play.unanswered()

    async def moved() -> bool:
        left = play.unanswered()
        return left != before or left == 0

    await eventually(moved, 60, "progress")
    await asyncio.sleep(0.5)


async def none_left(play: Play) -> bool:
    return play.unanswered() == 0


async def all_opened(play: Play) -> bool:
    return not play.untold()


async def another(stack: Stack, name: str, pid: int | None) -> bool:
    now = stack.pid(name)
    return now is not None and now != pid
