"""The status page says what moves, shows the last quarter of an hour, and notices what stands still."""

import re
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, Route, expect

import deploy.status
from deploy.demo.stories import Story
from deploy.embedded.stack import SERVICES, Stack
from deploy.status.targets import TARGETS
from services.runtime.pages import site
from services.runtime.settings import Addresses
from tests.browser.chromium import opened

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]


async def test_all_services_move_and_are_plotted(browser: Browser, system: Stack, stories: tuple[Story, ...]) -> None:
    async with opened(browser) as page:
        await page.goto(system.addresses.status)
        await expect(page.locator(".tile.good")).to_have_count(3)
        await expect(page.get_by_role("img", name="Mensajes que esperan")).to_be_visible()
        await expect(page.get_by_role("img", name="Trabajo por segundo")).to_be_visible()
        figures = dict(zip(await page.locator(".figures dt").all_inner_texts(),
                           await page.locator(".figures b").all_inner_texts(), strict=True))  # fmt: skip
        assert int(figures["Huellas"].replace(".", "")) > len(stories)


async def test_prometheus_finds_every_process(system: Stack) -> None:
    async with httpx.AsyncClient() as client:
        groups = (await client.get(f"{system.addresses.status}{TARGETS}")).json()
        assert {group["labels"]["job"] for group in groups} == {f"ruta-{name}" for name in SERVICES}
        for group in groups:
            for target in group["targets"]:
                assert "ruta_ready" in (await client.get(f"http://{target}/metrics")).text


async def test_it_refreshes_itself_and_leaves_open_what_is_open(
    browser: Browser, system: Stack, stories: tuple[Story, ...]
) -> None:
    async with opened(browser) as page:
        await page.goto(system.addresses.status)
        await page.get_by_text("Los valores, minuto a minuto").first.click()
        for part in ("#now", "#lag-values"):
            await page.locator(part).evaluate("one => one.dataset.old = 'yes'")
        await expect(page.locator("#now:not([data-old])")).to_be_visible()
        await expect(page.locator("#lag-values:not([data-old])")).to_be_visible()  # inside what was opened


async def test_what_was_opened_before_the_first_look_gets_its_plots_too(
    browser: Browser, system: Stack, stories: tuple[Story, ...]
) -> None:
    before = site.add(
        FastAPI(),
        "status",
        Path(deploy.status.__file__).parent,
        addresses=Addresses(),
        members=dict,
        web_assets=system.state.web,
    ).render("status.html", look=None)
    async with opened(browser) as page:
        await page.route(system.addresses.status, lambda route: route.fulfill(body=before), times=1)
        await page.goto(system.addresses.status)
        await expect(page.get_by_text("Aún no se ha mirado")).to_be_visible()
        await expect(page.get_by_role("img", name="Mensajes que esperan")).to_be_visible()
        await page.locator("#now").evaluate("it => it.dataset.old = 'yes'")
        await expect(page.locator("#now:not([data-old])")).to_be_visible()


@pytest.mark.parametrize("how", ["frozen", "away"])
async def test_it_says_when_nothing_answers_any_more(
    browser: Browser, system: Stack, stories: tuple[Story, ...], how: str
) -> None:
    async def fail(route: Route) -> None:
        if how == "away":
            await route.abort()

    async with opened(browser, silent=False) as page:
        await page.goto(system.addresses.status)
        await page.route(f"{system.addresses.status}/", fail)
        silent = page.locator("#silent")
        await expect(silent).to_have_text(re.compile(r"^Sin respuesta desde hace \d+ s$"))
        await expect(page.locator(".verdict:visible")).to_have_count(1)
        await expect(page.get_by_text("Ruta no respondió")).to_be_hidden()
        await page.unroute(f"{system.addresses.status}/")
        await expect(silent).to_be_hidden()
        await expect(page.get_by_role("status").filter(has_text="Todo avanza")).to_be_visible()


async def test_a_service_that_is_away_is_named(browser: Browser, system: Stack, stories: tuple[Story, ...]) -> None:
    async with opened(browser, scripts=False) as page:
        await system.stop("audit")
        try:
            tile = page.locator(".tile.bad")
            for _ in range(30):
                await page.goto(system.addresses.status)
                if await tile.count():
                    break
                await page.wait_for_timeout(1_000)
            await expect(tile).to_contain_text("Registro")
            await expect(tile).to_contain_text("No responde")
        finally:
            await system.start("audit")
            await system.wait_ready("audit", 60)
