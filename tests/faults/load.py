"""Institutions that work while something breaks, and the proof afterwards that nothing was lost or doubled."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deploy.demo.stories import CANARY
from deploy.embedded.stack import Stack
from deploy.faults.load import Load
from deploy.faults.load import loaded as loaded
from deploy.faults.waiting import eventually
from deploy.ledger import ledger

SEED_OF_STORIES = 20261124


@asynccontextmanager
async def under_load(stack: Stack) -> AsyncIterator[Load]:
    """Referrals are made, answered and closed while the block runs; at its end the ledger must hold."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the clients' own reports of the outage
    async with loaded(stack.target, SEED_OF_STORIES) as load, load.flowing():
        yield load
    found = await ledger.check(stack.target, CANARY, within=180)
    assert found.problems == ()
    assert found.applied == load.declared()


async def killed(stack: Stack, name: str) -> None:
    """SIGKILL a part; returns when its successor answers."""
    pid = stack.pid(name)
    stack.kill(name)

    async def another() -> bool:
        return stack.pid(name) not in (None, pid)

    await eventually(another, 60, f"{name} starting again")
    await stack.wait_ready(name, 60)
