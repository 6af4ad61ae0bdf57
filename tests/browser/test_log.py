"""Finding leaves in a running system's log, with the scripts that its pages have there."""

import re

import pytest
from playwright.async_api import Browser, expect

from deploy.demo.stories import Story
from deploy.embedded.stack import Stack
from tests.browser.chromium import opened

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]


async def test_leaves_are_found_by_number_and_by_reference(
    browser: Browser, system: Stack, stories: tuple[Story, ...]
) -> None:
    async with opened(browser) as page:
        await page.goto(f"{system.addresses.http['audit']}/")
        field, rows = page.get_by_label("Número de huella"), page.locator("#results tbody tr")
        reference = stories[0].referral.hex[:8]
        visited = await page.evaluate("history.length")
        await field.fill(reference)
        await field.press("Enter")
        await expect(rows.filter(has_not_text=reference)).to_have_count(0)
        await expect(page.locator(".htmx-request")).to_have_count(0)
        assert await page.evaluate("history.length") == visited + 1
        found = await rows.count()
        assert found > 0
        await rows.first.get_by_role("link", name=reference).click()
        await expect(page).to_have_url(re.compile(f"/\\?referral={stories[0].referral}$"))
        await expect(rows).to_have_count(found)
        await field.fill("99999999")
        await field.press("Enter")
        await expect(page.locator("#results")).to_contain_text("El registro tiene")
        await field.fill("12")
        await field.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Huella 12")


async def test_who_goes_back_can_check_as_before(browser: Browser, system: Stack, stories: tuple[Story, ...]) -> None:
    async with opened(browser) as page:
        await page.goto(f"{system.addresses.http['audit']}/")
        check = page.get_by_role("button", name="Comprobar aquí")
        await expect(check).to_be_visible()
        await page.get_by_label("Clase").select_option("duplicate")
        await expect(page).to_have_url(re.compile("clase=duplicate"))
        await page.evaluate("history.back()")
        await expect(page.get_by_label("Clase")).to_have_value("")
        await check.click()
        await expect(page.locator("[data-check=signature]")).to_have_class("good")


async def test_a_check_needs_no_answer(browser: Browser, system: Stack, stories: tuple[Story, ...]) -> None:
    async with opened(browser) as page:
        await page.goto(f"{system.addresses.http['audit']}/")
        check = page.get_by_role("button", name="Comprobar aquí")
        await expect(check).to_be_visible()
        await page.route("**/*", lambda route: route.abort())
        await check.click()
        await expect(page.locator("[data-check=signature]")).to_have_class("good")
