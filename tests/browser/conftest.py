"""The whole system with a few stories told on it, and a browser to look at it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from deploy.demo import duties
from deploy.demo.duties import Duty
from deploy.demo.play import playing
from deploy.demo.stories import Story, draw
from deploy.embedded.ports import Ports
from deploy.embedded.stack import SERVICES, Stack
from deploy.ledger import ledger
from tests.browser import chromium

SEED = 7
STORIES = 60


@pytest.fixture(scope="package")
async def browser(anyio_backend: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        yield await chromium.launch(playwright)


@pytest.fixture(scope="package")
async def system(browser: Browser, session_folder: Path) -> AsyncIterator[Stack]:
    """A stack of its own: tests of pages restart what pages stand on. Without a browser it is not even started."""
    async with Stack(session_folder / "pages", Ports.free()) as running:
        await running.start(*SERVICES)
        await running.start_status()
        for name in (*SERVICES, "status"):
            await running.wait_ready(name, 60)
        yield running


@pytest.fixture(scope="package")
async def stories(system: Stack) -> tuple[Story, ...]:
    """Stories with all their steps and mistakes, told and quiet."""
    drawn = draw(system.target.directory, STORIES, SEED, datetime.now(UTC))
    async with asyncio.timeout(120), playing(system.target) as play:
        await play.open_all(drawn)
        while play.unanswered():
            await asyncio.sleep(0.1)
    await ledger.quiet(system.target, within=60)
    return drawn


@pytest.fixture(scope="package")
async def owed(system: Stack, stories: tuple[Story, ...]) -> dict[str, Duty]:
    """A conflict that nobody has resolved, and a revocation that two of three holders have not confirmed."""
    drawn = {duty.name: duty for duty in duties.draw(SEED, datetime.now(UTC))}
    left = {
        "conflict": replace(drawn["ping-pong"], steps=drawn["ping-pong"].steps[:4]),
        "revocation": replace(drawn["revocation"], steps=drawn["revocation"].steps[:5]),
    }
    async with asyncio.timeout(120), playing(system.target) as play:
        for duty in left.values():
            assert await play.perform(duty) is None
    await ledger.quiet(system.target, within=60)
    return left


@pytest.fixture(scope="package")
async def referrals(system: Stack, stories: tuple[Story, ...]) -> str:
    """Where the referrals' pages are."""
    return system.addresses.http["referrals"]


@pytest.fixture(scope="package")
async def notifications(system: Stack, stories: tuple[Story, ...]) -> str:
    """Where the inboxes are."""
    return system.addresses.http["notifications"]
