"""The log's pages in a real browser, which checks what they say."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from playwright.async_api import Browser, Page, async_playwright, expect

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


WAITING = "[data-check]:not([class]), [data-check][class='']"


async def checked(page: Page) -> list[str]:
    """What the checks say after the button was pressed."""
    await page.locator("[data-run]").press("Enter")
    await page.locator(WAITING).first.wait_for(state="detached")
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


async def test_no_verdict_stands_beside_another_key(log: Log, browser: Browser) -> None:
    await fill(log)
    kept = await log.app.fetchval("select note from checkpoint where size = 107")
    async with served(log) as address, chromium.opened(browser) as page:
        for path, waiting in (("/", 1), ("/entries/0", 3), (f"/consistency?{urlencode({'punto': kept})}", 2)):
            await page.goto(f"{address}{path}")
            field, signature = page.get_by_label("Llave pública que recibió"), page.locator("[data-check=signature]")
            for own, whose in (("", "la llave que muestra esta página"), (log.signer.verifier.vkey, "usted escribió")):
                await field.fill(own)
                assert set(await checked(page)) == {"good"}
                await expect(signature).to_contain_text(whose)
            await field.press("x")
            await expect(page.locator(WAITING)).to_have_count(waiting)
            await expect(signature).to_have_text("Firma del punto de control.")
            assert (await checked(page))[-1] == "bad"
            await expect(signature).to_contain_text("usted escribió")


async def test_the_reader_s_own_checkpoint_is_compared(log: Log, browser: Browser) -> None:
    await fill(log)
    kept, later = [await log.app.fetchval("select note from checkpoint where size = $1", size) for size in (107, 290)]
    async with served(log) as address, chromium.opened(browser) as page:

        async def lie(route: Any) -> None:
            answer = await route.fetch(url=f"{address}/consistency?{urlencode({'punto': later})}")
            body = (await answer.text()).replace(later.strip(), kept.strip())
            await route.fulfill(response=answer, body=body)

        await page.goto(f"{address}/consistency?{urlencode({'punto': kept})}")
        field, button = (
            page.get_by_label("El punto de control que guardó"),
            page.get_by_role("button", name="Comprobar"),
        )
        await field.press("x")
        await expect(button).to_be_hidden()
        await field.press("Backspace")
        await expect(button).to_be_visible()
        await page.route("**/consistency?*", lie)
        await page.goto(f"{address}/consistency?{urlencode({'punto': kept})}")
        await expect(field).to_have_value(kept)
        assert await checked(page) == ["bad", "good"]


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
