"""An inbox is live, can be worked through, and is as useful by loading it again."""

import asyncio
import re
from collections.abc import Awaitable, Callable

import httpx
import pytest
from playwright.async_api import Browser, Page, Route, expect

from deploy.demo.stories import Story
from deploy.embedded.stack import Stack
from tests.browser.chromium import opened
from tests.support.hostile import Sent
from tests.support.wire import eventually, send

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

UNREAD = ".notice.unread"
COUNT = ".count-head .count"
COUNT_ALERTS = """
window.heard = 0;
document.addEventListener("htmx:sseOpen", ({detail}) => detail.source.addEventListener("alert", () => { heard += 1; }));
"""


async def live(page: Page, inbox: str) -> int:
    """Open an inbox, and wait until it hears what comes: how many alerts are unread."""
    await page.goto(inbox)
    await expect(page.get_by_text("En vivo")).to_be_visible()
    return int(await page.locator(COUNT).inner_text())


async def something_unreadable(system: Stack, institution: str) -> None:
    """A record that only its sender is told of: it changes no referral."""
    await send(system, institution, [Sent(None, [], b"nothing")])


async def test_an_alert_appears_by_itself(
    browser: Browser, system: Stack, notifications: str, stories: tuple[Story, ...]
) -> None:
    code = stories[0].sender
    async with opened(browser) as page:
        before = await live(page, f"{notifications}/inbox/{code}")
        await something_unreadable(system, code)
        await expect(page.locator(COUNT)).to_have_text(str(before + 1))
        await expect(page.locator(UNREAD).first).to_contain_text("Mensaje ilegible")
        # What was swapped in listens too.
        await something_unreadable(system, code)
        await expect(page.locator(COUNT)).to_have_text(str(before + 2))


async def test_it_goes_on_after_a_restart_of_postgres(
    browser: Browser, system: Stack, notifications: str, stories: tuple[Story, ...]
) -> None:
    code = stories[1].sender
    async with opened(browser, silent=False) as page:  # connections break: the service restarts too
        before = await live(page, f"{notifications}/inbox/{code}")
        system.kill("postgres")
        await system.wait_ready("postgres", 60)
        await something_unreadable(system, code)
        await expect(page.locator(COUNT)).to_have_text(str(before + 1), timeout=60_000)


async def test_marked_as_opened_by_everybody_who_looks(
    browser: Browser, notifications: str, stories: tuple[Story, ...]
) -> None:
    code = stories[2].sender
    async with opened(browser) as one, opened(browser) as other:
        for page in (one, other):
            await page.goto(f"{notifications}/inbox/{code}")
            await expect(page.get_by_text("En vivo")).to_be_visible()
        before = int(await one.locator(COUNT).inner_text())
        await one.locator(UNREAD).get_by_role("button").first.click()
        for page in (one, other):
            await expect(page.locator(COUNT)).to_have_text(str(before - 1))


async def test_who_works_through_an_inbox_by_keyboard_keeps_the_place_and_hears_the_count(
    browser: Browser, system: Stack, notifications: str, stories: tuple[Story, ...]
) -> None:
    async with opened(browser) as page:
        before = await live(page, f"{notifications}/inbox/{stories[5].sender}") + 2
        for _ in range(2):
            await something_unreadable(system, stories[5].sender)
        await expect(page.locator(COUNT)).to_have_text(str(before))
        said = page.get_by_role("status").first
        await said.evaluate("said => { said.kept = true }")
        buttons = page.locator(UNREAD).get_by_role("button")
        following = await buttons.nth(1).get_attribute("id")
        await buttons.first.press("Enter")
        await expect(page.locator(COUNT)).to_have_text(str(before - 1))
        await expect(page.locator(f"#{following}")).to_be_focused()
        # Readers announce what changes in a region that stays.
        await expect(said).to_have_text(re.compile(rf"^{before - 1} avisos? sin leer$"))
        assert await said.evaluate("said => said.kept")


async def test_what_was_swapped_in_is_marked_without_loading_the_page_again(
    browser: Browser, system: Stack, notifications: str, stories: tuple[Story, ...]
) -> None:
    code = stories[9].sender
    async with opened(browser) as page:
        before = await live(page, f"{notifications}/inbox/{code}") + 2
        for _ in range(2):
            await something_unreadable(system, code)
        await expect(page.locator(COUNT)).to_have_text(str(before))
        await page.evaluate("window.sameDocument = true")
        await page.evaluate(f"""() => {{
            const click = () => document.querySelector("{UNREAD} button").click();
            document.addEventListener("htmx:afterSwap", () => queueMicrotask(click), {{ once: true }});
            click();
        }}""")
        await expect(page.locator(COUNT)).to_have_text(str(before - 2))
        assert await page.evaluate("window.sameDocument"), "the page was loaded again"


async def test_who_clicks_twice_or_holds_the_key_marks_one(
    browser: Browser, system: Stack, notifications: str, stories: tuple[Story, ...]
) -> None:
    code = stories[9].sender
    async with opened(browser, silent=False) as page:
        before = await live(page, f"{notifications}/inbox/{code}") + 6
        for _ in range(6):
            await something_unreadable(system, code)
        await expect(page.locator(COUNT)).to_have_text(str(before))
        # Nothing else is to replace what is clicked.
        await page.route("**/events", lambda route: route.abort())
        await page.reload()
        posts: list[str] = []
        page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
        buttons = page.locator(UNREAD).get_by_role("button")
        place = await buttons.first.bounding_box()
        assert place is not None
        await page.mouse.move(place["x"] + 9, place["y"] + 9)
        for left, nth in ((before - 1, 1), (before - 1, 2), (before - 2, 1)):
            await page.mouse.down(click_count=nth)
            await page.mouse.up(click_count=nth)
            await expect(page.locator(COUNT)).to_have_text(str(left))
        assert len(posts) == 2
        await page.keyboard.down("Enter")
        await expect(page.locator(COUNT)).to_have_text(str(before - 3))
        await page.keyboard.down("Enter")
        await page.keyboard.up("Enter")
        await page.keyboard.press("Enter")
        await expect(page.locator(COUNT)).to_have_text(str(before - 4))
        assert len(posts) == 4


async def test_what_one_reads_stays_in_its_place(
    browser: Browser, system: Stack, notifications: str, stories: tuple[Story, ...]
) -> None:
    code = stories[7].sender
    async with opened(browser, width="phone") as page:
        before = await live(page, f"{notifications}/inbox/{code}") + 6
        for _ in range(6):
            await something_unreadable(system, code)
        await expect(page.locator(COUNT)).to_have_text(str(before))
        headings = await page.locator(f"{UNREAD} h3").evaluate_all("all => all.map(one => one.id)")
        first, second = headings[3:5]

        async def top(heading: str) -> float:
            return float(await page.evaluate("id => document.getElementById(id).getBoundingClientRect().top", heading))

        await page.evaluate("top => scrollBy(0, top)", await top(first) - 20)
        place = await top(first)
        await something_unreadable(system, code)
        await expect(page.locator(COUNT)).to_have_text(str(before + 1))
        assert abs(await top(first) - place) < 3
        # The one in view is opened and leaves the list: the next one stays, also when something new comes after that.
        place = await top(second)
        await page.locator(UNREAD, has=page.locator(f"#{first}")).get_by_role("button").click()
        await expect(page.locator(COUNT)).to_have_text(str(before))
        assert abs(await top(second) - place) < 3
        await something_unreadable(system, code)
        await expect(page.locator(COUNT)).to_have_text(str(before + 1))
        assert abs(await top(second) - place) < 3


async def test_what_comes_while_the_page_asks_is_shown_too(
    browser: Browser, system: Stack, notifications: str, stories: tuple[Story, ...]
) -> None:
    code = stories[8].sender
    asked, answered = asyncio.Event(), asyncio.Event()

    async def slow(route: Route) -> None:
        answer = await route.fetch()
        asked.set()
        await answered.wait()
        await route.fulfill(response=answer)

    async with opened(browser) as page:
        await page.add_init_script(COUNT_ALERTS)
        before = await live(page, f"{notifications}/inbox/{code}")
        await page.route(f"**/inbox/{code}", slow)
        await something_unreadable(system, code)
        await asked.wait()
        heard = await page.evaluate("heard")
        await something_unreadable(system, code)
        await eventually(lambda: page.evaluate("known => heard > known", heard), 60, "the next alert")
        answered.set()
        await expect(page.locator(COUNT)).to_have_text(str(before + 2))
        # What was filtered while it asked is filtered, though what was to be replaced is not there any more.
        asked.clear()
        answered.clear()
        await page.route("**/inbox/*?urgencia=*", slow)
        await page.get_by_label("Asunto").select_option("quarantined")
        await asked.wait()
        await page.locator("#alerts").evaluate("it => it.outerHTML = it.outerHTML")
        answered.set()
        await expect(page.locator(COUNT)).to_have_count(0)
        await page.unroute_all(behavior="wait")


async def replaced_then_refused(route: Route) -> None:
    await route.request.frame.locator("#alerts").evaluate("it => it.outerHTML = it.outerHTML")
    await route.fulfill(status=503, body="")


async def of_another_page(route: Route) -> None:
    await route.fulfill(body="<h1>Wifi</h1>")


@pytest.mark.parametrize("answer", [replaced_then_refused, of_another_page])
async def test_what_is_no_answer_takes_no_place(
    browser: Browser, notifications: str, stories: tuple[Story, ...], answer: Callable[[Route], Awaitable[None]]
) -> None:
    async with opened(browser, silent=False) as page:
        await page.goto(f"{notifications}/inbox/{stories[8].sender}")
        await page.route("**/inbox/*?urgencia=*", answer)
        await page.get_by_label("Asunto").select_option("quarantined")
        await expect(page.get_by_text("Ruta no respondió")).to_be_visible()
        await expect(page.locator(COUNT)).to_be_visible()
        await page.unroute_all(behavior="wait")
        await page.get_by_role("button", name="Filtrar").click()
        await expect(page.get_by_text("Ruta no respondió")).to_be_hidden()
        await expect(page.locator(COUNT)).to_have_count(0)


async def test_what_could_not_be_marked_is_said_though_the_list_was_replaced_meanwhile(
    browser: Browser, notifications: str, stories: tuple[Story, ...]
) -> None:
    async with opened(browser, silent=False) as page:
        await page.goto(f"{notifications}/inbox/{stories[8].recipient}")
        await page.route("**/open", replaced_then_refused)
        await page.locator(UNREAD).get_by_role("button").first.click()
        await expect(page.get_by_text("Ruta no respondió")).to_be_visible()
        await page.get_by_label("Asunto").select_option("requested")
        await expect(page.get_by_text("Ruta no respondió")).to_be_hidden()


async def test_the_focus_goes_on_also_where_the_list_was_replaced_meanwhile(
    browser: Browser, system: Stack, notifications: str, stories: tuple[Story, ...]
) -> None:
    code = stories[8].sender

    async def replaced_then_answered(route: Route) -> None:
        answer = await route.fetch()
        await page.locator("#alerts").evaluate("it => it.outerHTML = it.outerHTML")
        await page.locator(UNREAD, has_not_text="Mensaje ilegible").get_by_role("button").first.focus()
        await route.fulfill(response=answer)

    async with opened(browser) as page:
        before = await live(page, f"{notifications}/inbox/{code}")
        await something_unreadable(system, code)
        await expect(page.locator(COUNT)).to_have_text(str(before + 1))
        await page.route("**/inbox/*?urgencia=*", replaced_then_answered)
        await page.get_by_label("Asunto").select_option("quarantined")
        await expect(page.locator(COUNT)).to_have_count(0)
        await expect(page.locator(f"{UNREAD} button:focus")).to_have_count(1)


async def test_without_scripts(browser: Browser, notifications: str, stories: tuple[Story, ...]) -> None:
    code = stories[3].recipient
    async with opened(browser, scripts=False) as page:
        await page.goto(notifications)
        await page.locator(f"a[href='/inbox/{code}']").click()
        await expect(page.get_by_text("Vuelva a cargar la página")).to_be_visible()
        before = int(await page.locator(COUNT).inner_text())
        await page.locator(UNREAD).get_by_role("button").first.click()
        await expect(page.locator(COUNT)).to_have_text(str(before - 1))
        await page.get_by_label("Asunto").select_option("requested")
        await page.get_by_role("button", name="Filtrar").click()
        await expect(page).to_have_url(re.compile("[?&]asunto=requested"))
        titles = await page.locator(f"{UNREAD} h3").all_inner_texts()
        assert titles
        assert all(title.endswith("Nueva remisión") for title in titles)
        await expect(page.locator(COUNT)).to_have_count(0)  # it would count what the filter leaves out
        for query in ("?desde=1", "?ver=abiertos&desde=1"):
            await page.goto(f"{notifications}/inbox/{code}{query}")
            await expect(page.get_by_text("No hay avisos más antiguos.")).to_be_visible()


async def test_what_became_of_alerts(browser: Browser, notifications: str, stories: tuple[Story, ...]) -> None:
    async with opened(browser) as page:
        await page.goto(f"{notifications}/alerts?referral={stories[0].referral}")
        text = await page.locator("tbody").inner_text()
        assert "Bandeja de avisos en Ruta" in text
        assert "Enviado por correo" in text
        assert "(250)" not in text


async def test_another_sites_page_cannot_open_alerts(notifications: str, stories: tuple[Story, ...]) -> None:
    async with httpx.AsyncClient(base_url=notifications) as client:
        path = f"/v1/inbox/{stories[0].recipient}"
        alert = (await client.get(path, params={"unread": True})).json()["alerts"][0]["alert"]
        inbox = f"/inbox/{stories[0].recipient}"
        for asked in (f"{path}/{alert}/read", f"{inbox}/{alert}/open", f"{inbox}/open?hasta=1"):
            assert (await client.post(asked, headers={"sec-fetch-site": "cross-site"})).status_code == 403


async def test_all_are_marked_as_opened_but_what_the_page_did_not_show(
    browser: Browser, system: Stack, notifications: str, stories: tuple[Story, ...]
) -> None:
    code = stories[6].sender
    async with opened(browser) as page, opened(browser, scripts=False) as still:
        before = await live(page, f"{notifications}/inbox/{code}") + 2
        for _ in range(2):
            await something_unreadable(system, code)
        await expect(page.locator(COUNT)).to_have_text(str(before))
        await still.goto(f"{notifications}/inbox/{code}")
        await something_unreadable(system, code)
        await expect(page.locator(COUNT)).to_have_text(str(before + 1))
        await still.get_by_role("button", name="Marcar todos como leídos").click()
        await expect(still.locator(COUNT)).to_have_text("1")
        await something_unreadable(system, code)
        await expect(page.locator(COUNT)).to_have_text("2")
        page.on("dialog", lambda dialog: dialog.accept())
        await page.get_by_role("button", name="Marcar todos como leídos").press("Enter")
        await expect(page.locator(COUNT)).to_have_text("0")
        await expect(page.get_by_role("heading", name="Sin leer")).to_be_focused()
