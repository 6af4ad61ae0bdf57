"""The list of referrals is searched and filtered, and a referral's page tells its whole history."""

import re
from base64 import urlsafe_b64encode
from uuid import UUID

import httpx
import pytest
from playwright.async_api import Browser, Route, expect

from contracts.labels import label
from contracts.values import State, Verb
from deploy.demo.duties import Duty
from deploy.demo.stories import Mistake, Story
from deploy.embedded.stack import Stack
from tests.browser.chromium import opened

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

ROWS = "#results tbody tr"
BEFORE_ALL_TIME = urlsafe_b64encode(f"0001-01-01T00:00:00+14:00 {UUID(int=0)}".encode()).decode()


def of_path(stories: tuple[Story, ...], *path: Verb) -> Story:
    return next(story for story in stories if story.path == path and story.mistake is None)


async def test_it_is_found_by_what_a_notice_shows_of_it(
    browser: Browser, referrals: str, stories: tuple[Story, ...]
) -> None:
    story = stories[0]
    async with opened(browser) as page:
        await page.goto(referrals)
        await page.evaluate("window.sameDocument = true")
        await page.get_by_label("Referencia").fill(story.referral.hex[:8])
        await expect(page.locator(ROWS)).to_have_count(1)
        assert await page.evaluate("window.sameDocument"), "the page was loaded again"
        await expect(page).to_have_url(re.compile(rf"[?&]buscar={story.referral.hex[:8]}(&|$)"))
        await page.get_by_label("Referencia").fill(str(story.need))
        await expect(page.locator(ROWS)).to_have_count(1)
        visited = await page.evaluate("history.length")
        await page.get_by_label("Referencia").press_sequentially("0", delay=400)
        await expect(page.locator(ROWS)).to_have_count(0)
        assert await page.evaluate("history.length") == visited, "every letter is a page to go back through"
        await page.get_by_label("Referencia").fill("no es una referencia")
        await expect(page.get_by_text("Escriba al menos cuatro caracteres")).to_be_visible()


async def test_what_a_field_could_not_ask_its_form_asks(browser: Browser, referrals: str) -> None:
    async with opened(browser, silent=False) as page:
        await page.goto(referrals)
        await page.route("**/?buscar=*", lambda route: route.abort())
        await page.get_by_label("Referencia").fill("00000000")
        await expect(page.get_by_text("Ruta no respondió")).to_be_visible()
        await page.unroute_all(behavior="wait")
        await page.get_by_role("button", name="Buscar").click()
        await expect(page).to_have_url(re.compile("buscar=00000000"))
        await expect(page.get_by_text("Ruta no respondió")).to_be_hidden()


async def test_who_goes_back_is_never_left_with_what_another_address_shows(browser: Browser, referrals: str) -> None:
    async with opened(browser, silent=False) as page:
        await page.goto(referrals)
        urgency, rows = page.get_by_label("Urgencia"), page.locator(ROWS)
        before = await rows.count()
        await urgency.select_option("U0")
        await expect(page).to_have_url(re.compile("urgencia=U0"))
        await page.route("**/*", lambda route: route.abort())
        await page.evaluate("history.back()")
        await expect(page.locator("#results")).to_have_count(0)  # the browser says that nothing answers
        await page.unroute_all(behavior="wait")
        await page.reload()
        await expect(urgency).to_have_value("")
        await expect(rows).to_have_count(before)


async def test_asking_again_for_the_same_is_no_further_page_to_go_back_through(
    browser: Browser, referrals: str, stories: tuple[Story, ...]
) -> None:
    async with opened(browser) as page:
        await page.goto(referrals)
        visited = await page.evaluate("history.length")
        await page.get_by_label("Urgencia").select_option("U0")
        await expect(page).to_have_url(re.compile("urgencia=U0"))
        await page.locator("#results").evaluate("it => it.dataset.old = 'yes'")
        await page.get_by_role("button", name="Buscar").click()
        await expect(page.locator("#results:not([data-old])")).to_be_visible()
        assert await page.evaluate("history.length") == visited + 1


async def test_who_is_in_the_list_already_when_it_is_replaced_stays_there(
    browser: Browser, system: Stack, referrals: str, stories: tuple[Story, ...]
) -> None:
    async def gone_there(route: Route) -> None:
        await page.locator("#results").evaluate("it => it.dataset.old = 'yes'")
        await page.locator("#results a").first.focus()
        await route.continue_()

    async with opened(browser) as page:
        for address, label in ((referrals, "Urgencia"), (system.addresses.http["audit"], "Clase")):
            await page.goto(address)
            await page.route("**/?*", gone_there)
            await page.get_by_label(label).select_option(index=1)
            await expect(page.locator("#results:not([data-old])")).to_be_focused()


async def test_filters_without_scripts(browser: Browser, referrals: str, stories: tuple[Story, ...]) -> None:
    sender = stories[0].sender
    expected = [story for story in stories if story.sender == sender]
    async with opened(browser, scripts=False) as page:
        await page.goto(referrals)
        await page.get_by_label("Institución", exact=True).select_option(sender)
        await page.get_by_label("Su papel").select_option("sent")
        await page.get_by_role("button", name="Buscar").click()
        await expect(page.locator(ROWS)).to_have_count(len(expected))
        await expect(page.get_by_text("Elija una institución")).to_have_count(0)
        await page.get_by_role("link", name="Todas").click()
        await page.locator(f"{ROWS} a").first.click()
        await expect(page.get_by_role("heading", name="Historia")).to_be_visible()


async def test_a_part_without_its_institution_asks_for_it(browser: Browser, referrals: str) -> None:
    async with opened(browser) as page:
        await page.goto(referrals)
        asks = page.get_by_text("Elija una institución")
        await expect(asks).to_have_count(0)
        await page.get_by_label("Su papel").select_option("received")
        await expect(asks).to_be_visible()
        await page.get_by_label("Institución", exact=True).select_option("icbf-santander")
        await expect(asks).to_have_count(0)


async def test_counts_of_states_lead_to_them(
    browser: Browser, referrals: str, stories: tuple[Story, ...], owed: dict[str, Duty]
) -> None:
    async with opened(browser) as page:
        await page.goto(referrals)
        chip = page.locator(".chips a", has_text="Abiertas")
        count = int(await chip.locator(".count").inner_text())
        still_open = [s for s in stories if s.path[-1] not in (Verb.CLOSED, Verb.WITHDRAWN)]
        disputed = 1  # of what is owed only the conflict is still open: what was revoked has ended
        assert count == len(still_open) + disputed
        await chip.click()
        await expect(page.locator(ROWS)).to_have_count(count)
        assert await page.locator(f"{ROWS} .state.closed").count() == 0


async def test_pages_go_through_all_of_them(referrals: str, stories: tuple[Story, ...], owed: dict[str, Duty]) -> None:
    found: list[str] = []
    address = "/"
    async with httpx.AsyncClient(base_url=referrals) as client:
        while address:
            text = (await client.get(address)).text
            found += [part.partition('"')[0] for part in text.split('href="/referrals/')[1:]]
            _, _, rest = text.partition('rel="next" href="')
            address = rest.partition('"')[0].replace("&amp;", "&")
    opened_ones = {step.opens[1] for duty in owed.values() for step in duty.steps if step.opens}
    expected = {story.referral for story in stories} | opened_ones
    assert sorted(found) == sorted(map(str, expected))


async def test_a_history_has_every_step_and_whose_turn_it_is(
    browser: Browser, referrals: str, stories: tuple[Story, ...]
) -> None:
    story = of_path(stories, Verb.REQUESTED, Verb.RECEIVED, Verb.ACCEPTED, Verb.STARTED)
    async with opened(browser) as page:
        await page.goto(f"{referrals}/referrals/{story.referral}")
        states = await page.locator(".timeline .state").all_inner_texts()
        assert states == [label(s) for s in (State.IN_PROGRESS, State.ACCEPTED, State.RECEIVED, State.REQUESTED)]
        turn = page.locator(".turn")
        await expect(turn).to_contain_text(label(Verb.COMPLETED).lower())
        await expect(turn).to_contain_text(label(Verb.WITHDRAWN).lower())
        await expect(page.get_by_text("Entrevista")).to_be_visible()


async def test_on_a_phone_what_was_said_stands_under_its_name(
    browser: Browser, referrals: str, stories: tuple[Story, ...]
) -> None:
    async with opened(browser, width="phone") as page:
        await page.goto(f"{referrals}/referrals/{stories[0].referral}")
        name, value = page.locator(".timeline dt").first, page.locator(".timeline dd").first
        above, below = await name.bounding_box(), await value.bounding_box()
        assert above is not None
        assert below is not None
        assert above["x"] == below["x"]
        assert above["y"] < below["y"]


async def test_what_had_no_effect_is_told_with_its_reason(
    browser: Browser, referrals: str, stories: tuple[Story, ...]
) -> None:
    story = next(story for story in stories if story.mistake is Mistake.WRONG_STATE)
    async with opened(browser) as page:
        await page.goto(f"{referrals}/referrals/{story.referral}")
        refused = page.locator(".timeline .without-effect")
        await expect(refused).to_contain_text("No se aplicó una declaración")
        await expect(refused.locator(".note")).not_to_be_empty()


async def test_a_conflict_says_between_whom_and_who_answers_meanwhile(
    browser: Browser, system: Stack, referrals: str, owed: dict[str, Duty]
) -> None:
    desk, interior = (
        system.target.directory.by_code[code].name for code in ("enlace-migracion-giron", "interior-giron")
    )
    disputed = owed["conflict"].steps[-1].referral
    async with opened(browser) as page:
        await page.goto(referrals)
        await page.get_by_role("link", name="Conflictos y ceses pendientes").click()
        row = page.get_by_role("region", name="Conflictos de competencia").locator("tbody tr")
        await expect(row).to_have_count(1)
        await expect(row).to_contain_text(disputed.hex[:8])
        await expect(row).to_contain_text(f"{desk} (no se considera competente)")
        await page.get_by_label("Institución").select_option("acnur")
        await page.get_by_role("button", name="Buscar").click()
        await expect(page.get_by_text("No hay conflictos sin resolver de esta institución")).to_be_visible()
        await page.get_by_label("Institución").select_option("interior-giron")
        await page.get_by_role("button", name="Buscar").click()
        await expect(row).to_have_count(1)
        await row.get_by_role("link").click()
        turn = page.locator(".turn")
        await expect(turn).to_contain_text("conflicto de competencia")
        await expect(turn).to_contain_text(f"Mientras tanto responde {interior}")
        await expect(turn).to_contain_text("No ha manifestado su posición")
        await expect(turn).to_contain_text(f"Le corresponde a {interior}: {label(Verb.POSITION_STATED).lower()}")
        await expect(turn).to_contain_text("organismo de control con competencia (Defensoría")
        await expect(turn).not_to_have_class(re.compile("ended"))
        chain = page.get_by_role("region", name="Cadena de remisiones").get_by_role("link")
        assert await chain.all_inner_texts() == [desk, interior]
        await chain.first.click()
        await expect(turn).to_contain_text(f"Sigue en otra institución: {interior}")
        await expect(turn).not_to_contain_text("No se espera nada")
        await turn.get_by_role("link", name="Ver la remisión").click()
        await expect(page).to_have_url(re.compile(f"/{disputed}$"))


async def test_who_has_not_confirmed_to_have_stopped_is_listed(
    browser: Browser, system: Stack, referrals: str, stories: tuple[Story, ...], owed: dict[str, Duty]
) -> None:
    names = {code: one.name for code, one in system.target.directory.by_code.items()}
    withdrawn = [names[story.recipient] for story in stories if story.path[-1] is Verb.WITHDRAWN]
    async with opened(browser) as page:
        await page.goto(f"{referrals}/pending")
        rows = page.get_by_role("region", name="Ceses sin confirmar").locator("tbody tr")
        await expect(rows).to_have_count(2 + len(withdrawn))
        listed = [await rows.nth(n).locator("td").first.inner_text() for n in range(await rows.count())]
        assert sorted(listed) == sorted([names["acnur"], names["gifmm-santander"], *withdrawn])
        await page.goto(f"{referrals}/referrals/{owed['revocation'].steps[0].referral}")
        await expect(page.locator(".turn")).to_contain_text("confirmó que cesó el uso de los datos")
        # Sent on twice, then revoked: it goes on nowhere.
        await expect(page.locator(".turn")).to_contain_text(f"Terminó en otra institución: {names['gifmm-santander']}")
        await expect(page.locator(".turn")).to_contain_text(label(State.WITHDRAWN))


async def test_nothing_about_the_person_is_shown(referrals: str, stories: tuple[Story, ...]) -> None:
    async with httpx.AsyncClient(base_url=referrals) as client:
        for story in stories[:20]:
            text = (await client.get(f"/referrals/{story.referral}")).text
            assert str(story.request.person) not in text
            assert story.request.territories.residence not in text
            assert not [flag for flag in story.request.flags if label(flag) in text]


async def test_by_keyboard_alone(browser: Browser, referrals: str, stories: tuple[Story, ...]) -> None:
    async with opened(browser) as page:
        await page.goto(referrals)
        await page.keyboard.press("Tab")
        await expect(page.get_by_text("Saltar al contenido")).to_be_focused()
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        await expect(page.get_by_label("Referencia")).to_be_focused()
        await page.keyboard.type(stories[3].referral.hex[:12])
        await expect(page.locator(ROWS)).to_have_count(1)
        visited = await page.evaluate("history.length")
        await page.keyboard.press("Enter")
        await expect(page.locator(".htmx-request")).to_have_count(0)  # its answer takes the focus from what it replaces
        assert await page.evaluate("history.length") == visited, "typing had asked for the same"
        link = page.locator(f"{ROWS} a")
        for _ in range(30):
            if await link.evaluate("one => one === document.activeElement"):
                break
            await page.keyboard.press("Tab")
        outline = await link.evaluate("one => getComputedStyle(one).outlineStyle")
        assert outline == "solid", "where the focus is can be seen"
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Historia")).to_be_visible()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/referrals/{UUID(int=0)}", 404),
        ("/referrals/Yuleisy", 422),
        ("/?institucion=Yuleisy%20P", 422),
        ("/?estado=Yuleisy", 422),
        ("/?desde=Yuleisy", 422),
        (f"/?desde={BEFORE_ALL_TIME}", 422),
        ("/Yuleisy", 404),
    ],
)
async def test_a_wrong_address_is_answered_in_spanish_and_not_repeated(referrals: str, path: str, status: int) -> None:
    async with httpx.AsyncClient(base_url=referrals) as client:
        page = await client.get(path, headers={"accept": "text/html,application/xhtml+xml"})
        assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
        assert "Yuleisy" not in page.text
        assert "<h1>" in page.text
        program = await client.get(path)
        assert program.headers["content-type"] == "application/json"
        assert "Yuleisy" not in program.text
