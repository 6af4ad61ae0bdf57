"""`ruta demo`: a throwaway system, realistic flows between all institutions, and the ledger of what happened."""

import asyncio
import json
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from secrets import randbelow

from contracts.directory import SEED, load
from deploy import interruption
from deploy.commands_ledger import table, totals
from deploy.demo import duties
from deploy.demo.duties import Duty
from deploy.demo.play import playing
from deploy.demo.stories import CANARY, Story, draw
from deploy.embedded.errors import StackError
from deploy.embedded.ports import Ports
from deploy.embedded.stack import Stack
from deploy.ledger import ledger
from deploy.ledger.checks import wrong
from deploy.throwaway import throwaway

_PER_REFERRAL = 0.5  # seconds allowed for one referral, beside a fixed minute
_PER_DUTY = 60.0  # seconds allowed for all steps of one


def run(referrals: int, seed: int | None, as_json: bool, workers: int) -> int:
    """Play and check; returns 0 only if the ledger holds. Progress goes to standard error."""
    drawn = seed if seed is not None else randbelow(2**31)
    return interruption.run(_run(referrals, drawn, as_json, workers))


async def _run(referrals: int, seed: int, as_json: bool, workers: int) -> int:
    now = datetime.now(UTC)
    stories, owed = draw(load(SEED), referrals, seed, now), duties.draw(seed, now)
    _say(f"{referrals} referrals, seed {seed}")
    ports = Ports.free(workers)
    with throwaway("ruta-demo-") as place:
        async with Stack(place.state, ports, report=lambda what, how: _say(f"{what}: {how}")) as stack:
            await stack.start(*stack.services)
            for name in stack.services:
                await stack.wait_ready(name, 60)
                _say(f"{name}: ready")
            began = time.monotonic()
            problems = await _play(stack, stories, owed)
            _say(f"all steps taken and answered after {time.monotonic() - began:.1f} s; waiting for quiet")
            found = await ledger.check(stack.target, CANARY, within=60 + referrals * _PER_REFERRAL)
            _say(f"quiet and checked after {time.monotonic() - began:.1f} s")
        found = replace(found, problems=(*map(wrong, problems), *found.problems))
        place.failed = bool(found.problems)
    result = totals(found) | {"referrals": referrals, "duties": [duty.name for duty in owed], "seed": seed}
    print(json.dumps(result) if as_json else table(result))
    return 1 if found.problems else 0


async def _play(stack: Stack, stories: tuple[Story, ...], owed: tuple[Duty, ...]) -> list[str]:
    deadline = time.monotonic() + 60 + len(stories) * _PER_REFERRAL
    async with playing(stack.target) as play:
        await play.open_all(stories)
        while left := play.unanswered():
            if time.monotonic() > deadline:
                raise StackError(f"{left} declarations had no answer in time.")
            await asyncio.sleep(0.1)
        problems = []
        for duty in owed:
            try:
                async with asyncio.timeout(_PER_DUTY):
                    wrong = await play.perform(duty)
            except TimeoutError:
                wrong = f"{duty.name}: a step had no answer in {_PER_DUTY} s"
            _say(wrong or f"{duty.name}: {duty.shows}")
            problems += [wrong] if wrong else []
        # The sealed part of a referral's last step lies behind its fact: give the readers the moment it takes.
        while play.untold() and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
        return [*problems, *play.untold()]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
