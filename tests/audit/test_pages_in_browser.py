"""The log's pages in a real browser, which checks what they say."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from playwright.async_api import Browser, Page, async_playwright

from deploy.embedded.ports import Ports
from services.audit import note
from tests.audit.support import ORIGIN, Log, fill
from tests.audit.test_pages import CONFLICT, DUPLICATE, FACT, GAP, RECEIPT, UNREADABLE, made
from tests.browser import chromium

pytestmark = pytest.mark.anyio


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        yield await chromium.launch(playwright)


@asynccontextmanager
async def served(log: Log) -> AsyncIterator[str]:
    """The pages on a port of their own."""
    port = Ports.free().audit
    server = uvicorn.Server(uvicorn.Config(made(log), port=port, log_level="error", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(30):
        while not server.started:
            await asyncio.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving


async def checked(page: Page) -> list[str]:
    """What the checks say after the button was pressed."""
    await page.locator("[data-run]").press("Enter")
    await page.locator("[data-check]:not([class])").first.wait_for(state="detached")
    found: list[str] = await page.locator("[data-check]").evaluate_all("all => all.map((one) => one.className)")
    return found


async def test_a_reader_checks_in_the_browser(log: Log, browser: Browser) -> None:
    await fill(log)
    async with served(log) as address, chromium.opened(browser) as page:
        for index in (0, DUPLICATE, CONFLICT, GAP, UNREADABLE, FACT, RECEIPT, 255, 256, 299):
            await page.goto(f"{address}/entries/{index}")
            assert await checked(page) == ["good", "good", "good"], index
        kept = await log.app.fetchval("select note from checkpoint where size = 107")
        forged = note.signer(ORIGIN, Ed25519PrivateKey.generate()).verifier.vkey
        for own, verdict in ((log.signer.verifier.vkey, "good"), (forged, "bad"), ("x", "bad")):
            await page.goto(f"{address}/")
            await page.get_by_label("Llave pública que recibió").fill(f" {own} ")
            assert await checked(page) == [verdict]
        await page.goto(f"{address}/")
        assert await checked(page) == ["good"]
        await page.get_by_role("link", name="Comparar").click()
        await page.get_by_label("El punto de control que guardó").fill(kept)
        await page.get_by_role("button", name="Comparar").click()
        assert await checked(page) == ["good", "good"]


@pytest.mark.parametrize(
    ("what", "before", "after", "verdict"),
    [
        ("the leaf", '&#34;kt&#34;:', '&#34;kt&#34;:1', ["bad", "bad", "good"]),
        ("the index", 'data-index="0"', 'data-index="1"', ["good", "bad", "good"]),
        ("the signed size", "\n300\n", "\n299\n", ["good", "bad", "bad"]),
        ("the signer", r"(\+[0-9a-f]{8}\+)A", r"\1B", ["good", "good", "bad"]),
    ],
)  # fmt: skip
async def test_a_lying_page_is_found_out(
    log: Log, browser: Browser, what: str, before: str, after: str, verdict: list[str]
) -> None:
    await fill(log)
    async with served(log) as address, chromium.opened(browser) as page:

        async def lie(route: Any) -> None:
            answer = await route.fetch()
            body = await answer.text()
            assert re.search(before, body), what
            await route.fulfill(response=answer, body=re.sub(before, after, body))

        await page.route("**/entries/*", lie)
        await page.goto(f"{address}/entries/0")
        assert await checked(page) == verdict
