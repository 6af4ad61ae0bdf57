"""What holds on every page: accessible, in Spanish, within its width, silent in the console, in both themes."""

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Route, expect

from deploy.demo.duties import Duty
from deploy.demo.stories import Story
from deploy.embedded.stack import Stack
from tests.browser.chromium import SIZES, Theme, Width, opened

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


def addresses(system: Stack, story: Story, owed: dict[str, Duty]) -> dict[str, str]:
    """One address per kind of page, by what it shows."""
    http = system.addresses.http
    return {
        "referrals": f"{http['referrals']}/",
        "referrals of one institution": f"{http['referrals']}/?institucion={story.sender}&estado=abiertas",
        "nothing found": f"{http['referrals']}/?buscar=ffffffff",
        "referral": f"{http['referrals']}/referrals/{story.referral}",
        "disputed referral": f"{http['referrals']}/referrals/{owed['conflict'].steps[-1].referral}",
        "revoked referral": f"{http['referrals']}/referrals/{owed['revocation'].steps[0].referral}",
        "conflicts and stop duties": f"{http['referrals']}/pending",
        "inboxes": f"{http['notifications']}/",
        "inbox": f"{http['notifications']}/inbox/{story.recipient}",
        "opened alerts": f"{http['notifications']}/inbox/{story.recipient}?ver=abiertos",
        "log": f"{http['audit']}/",
        "leaves of a referral": f"{http['audit']}/?referral={story.referral}",
        "leaf": f"{http['audit']}/entries/7",
        "comparison": f"{http['audit']}/consistency",
        "status": f"{system.addresses.status}/",
        "alerts of a referral": f"{http['notifications']}/alerts?referral={story.referral}",
    }


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", ["desktop", "phone"])
async def test_nothing_moderate_or_worse(
    browser: Browser,
    system: Stack,
    stories: tuple[Story, ...],
    owed: dict[str, Duty],
    width: Width,
    theme: Theme,
) -> None:
    found = []
    async with opened(browser, width=width, theme=theme) as page:
        for name, address in addresses(system, stories[0], owed).items():
            await page.goto(address)
            assert await page.get_attribute("html", "lang") == "es-CO"
            assert await page.evaluate("document.documentElement.scrollWidth") == SIZES[width][0], f"{name} scrolls"
            assert await page.locator("h1").count() == 1
            violations = (await Axe().run(page, options=AXE)).response["violations"]
            found += [
                (name, one["id"], [node["target"] for node in one["nodes"]][:3])
                for one in violations
                if one["impact"] != "minor"
            ]
    assert found == []


async def test_names_as_long_as_allowed_stay_within_a_phone(
    browser: Browser, system: Stack, stories: tuple[Story, ...], owed: dict[str, Duty]
) -> None:
    """What is drawn may be longer than anything in the demonstration, and have no place to break."""
    async with opened(browser, width="phone") as page:
        for name, address in addresses(system, stories[0], owed).items():
            await page.goto(address)
            await page.evaluate(
                "for (const one of document.querySelectorAll('td, dd, h1, h3, .by, .note, article p'))"
                " if (!one.children.length) one.textContent = 'Institución'.repeat(11)"
            )
            assert await page.evaluate("document.documentElement.scrollWidth") == SIZES["phone"][0], f"{name} scrolls"


async def test_printed_in_full_and_in_the_colours_of_paper(
    browser: Browser, system: Stack, stories: tuple[Story, ...]
) -> None:
    async with opened(browser, theme="dark") as page:
        await page.goto(f"{system.addresses.status}/")
        table = page.locator("details table").first
        await expect(table).to_be_hidden()
        good = "getComputedStyle(document.documentElement).getPropertyValue('--green-soft')"
        dark = await page.evaluate(good)
        await page.emulate_media(media="print")
        await expect(table).to_be_visible()
        printed = await page.evaluate(good)
        await page.emulate_media(media="screen", color_scheme="light")
        assert printed == await page.evaluate(good) != dark


async def test_who_comes_back_finds_the_filters_of_what_is_shown(
    browser: Browser, system: Stack, stories: tuple[Story, ...], owed: dict[str, Duty]
) -> None:
    """And not those that were chosen when the page was left."""
    filtered = {
        "referrals": "Urgencia",
        "conflicts and stop duties": "Institución",
        "inbox": "Urgencia",
        "log": "Clase",
    }
    pages = addresses(system, stories[0], owed)
    async with opened(browser, silent=False) as page:
        for name, label in filtered.items():
            await page.goto(pages[name])
            await page.route("**/?*", lambda route: route.abort())
            await page.route("**/inbox/*?*", lambda route: route.abort())
            await page.get_by_label(label).select_option(index=1)
            await page.goto(pages["status"])
            await page.unroute_all(behavior="wait")
            await page.go_back()
            await expect(page.get_by_label(label)).to_have_value("")


@pytest.mark.parametrize("how", ["refused", "away", "silent"])
async def test_what_got_no_answer_is_said(
    browser: Browser, notifications: str, stories: tuple[Story, ...], how: str
) -> None:
    async def fail(route: Route) -> None:
        if how == "refused":
            await route.fulfill(status=503, body="")
        elif how == "away":
            await route.abort()

    async with opened(browser, silent=False) as page:
        await page.goto(f"{notifications}/inbox/{stories[0].recipient}")
        said = page.get_by_role("alert").filter(has_text="Ruta no respondió")
        await expect(said).to_be_hidden()
        await page.route("**/inbox/*?urgencia=*", fail)
        await page.get_by_label("Urgencia").select_option("U3")
        await expect(said).to_be_in_viewport()
        violations = (await Axe().run(page, options=AXE)).response["violations"]
        assert [one["id"] for one in violations if one["impact"] != "minor"] == []
        await page.unroute("**/inbox/*?urgencia=*")
        await page.get_by_label("Urgencia").select_option("")
        await expect(said).to_be_hidden()
