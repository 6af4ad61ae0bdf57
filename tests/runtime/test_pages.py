"""What every service's pages promise, whatever they show."""

import asyncio
from pathlib import Path

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from contracts import directory
from services.runtime import web
from services.runtime.pages import assets, numbers, site
from services.runtime.pages.protection import CONTENT_SECURITY_POLICY
from services.runtime.settings import Addresses

pytestmark = pytest.mark.anyio

BROWSER = {"accept": "text/html"}


def app(folder: Path, web_assets: Path | None = None) -> FastAPI:
    async def missing() -> list[str]:
        return []

    made = web.api("test", missing)
    site.add(made, "referrals", folder, addresses=Addresses(), members=dict, web_assets=web_assets)

    @made.get("/away")
    async def away() -> None:
        raise asyncpg.CannotConnectNowError("Yuleisy")

    @made.get("/broken")
    async def broken() -> None:
        raise RuntimeError("Yuleisy")

    @made.get("/cancelled")
    async def cancelled() -> None:
        given_up = asyncio.get_running_loop().create_future()
        given_up.cancel("Yuleisy")
        await given_up

    made.state.begun = asyncio.Event()

    @made.get("/ends")
    async def ends() -> None:
        made.state.begun.set()
        await asyncio.sleep(60)

    @made.post("/change")
    async def change() -> str:
        return "changed"

    return made


async def ask(of: FastAPI, method: str, path: str, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(of, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.request(method, path, headers=headers)


@pytest.mark.parametrize(
    ("path", "status"), [("/away", 503), ("/cancelled", 503), ("/broken", 500), ("/nothing", 404), ("/change", 405)]
)
async def test_failures_are_pages_for_people_and_json_for_programs(tmp_path: Path, path: str, status: int) -> None:
    page = await ask(app(tmp_path), "GET", path, **BROWSER)
    assert page.status_code == status
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert 'lang="es-CO"' in page.text
    program = await ask(app(tmp_path), "GET", path)
    assert (program.status_code, program.headers["content-type"]) == (status, "application/json")
    assert "Yuleisy" not in page.text + program.text


async def test_a_request_that_is_cancelled_itself_ends(tmp_path: Path) -> None:
    asked = app(tmp_path)
    asking = asyncio.create_task(ask(asked, "GET", "/ends", **BROWSER))
    await asked.state.begun.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_a_forms_address_that_is_loaded_is_no_failure_of_ours(tmp_path: Path) -> None:
    assert "No se encontró" in (await ask(app(tmp_path), "GET", "/change", **BROWSER)).text


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/v1/nothing", "/nothing"])
async def test_every_answer_is_protected(tmp_path: Path, path: str) -> None:
    answer = await ask(app(tmp_path), "GET", path, **BROWSER)
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"


async def test_what_programs_read_is_json_for_browsers_too(tmp_path: Path) -> None:
    assert (await ask(app(tmp_path), "GET", "/v1/nothing", **BROWSER)).headers["content-type"] == "application/json"


@pytest.mark.parametrize(("site", "status"), [("cross-site", 403), ("same-site", 403), ("same-origin", 200)])
async def test_another_sites_page_changes_nothing(tmp_path: Path, site: str, status: int) -> None:
    assert (await ask(app(tmp_path), "POST", "/change", **{"sec-fetch-site": site})).status_code == status


async def test_a_program_may_ask_for_changes(tmp_path: Path) -> None:
    assert (await ask(app(tmp_path), "POST", "/change")).status_code == 200


async def test_assets_are_kept_for_ever_under_their_hash(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    style = tmp_path / "static" / "own.css"
    style.write_text("a {}")
    before = assets.load([style.parent])["own.css"]
    answer = await ask(app(tmp_path), "GET", before.url)
    assert (answer.text, answer.headers["content-type"]) == ("a {}", "text/css; charset=utf-8")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    style.write_text("b {}")
    assert assets.load([style.parent])["own.css"].url != before.url
    assert (await ask(app(tmp_path), "GET", before.url)).status_code == 404


async def test_without_the_folder_of_scripts_there_are_none(tmp_path: Path) -> None:
    assert "<script" not in (await ask(app(tmp_path), "GET", "/nothing", **BROWSER)).text
    scripts = tmp_path / "web"
    scripts.mkdir()
    for name in ("htmx.min.js", "sse.js"):
        (scripts / name).write_text("")
    assert "<script" in (await ask(app(tmp_path, scripts), "GET", "/nothing", **BROWSER)).text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0, "0"), (999, "999"), (12141, "12.141"), (1e6, "1.000.000")]
)
def test_counts_are_written_as_in_colombia(value: float | None, text: str) -> None:
    assert numbers.number(value) == text


def test_decimals_are_written_as_in_colombia() -> None:
    assert (numbers.decimal(1234.56), numbers.decimal(None)) == ("1.234,6", "–")


def test_two_assets_of_one_name_are_an_error(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.css").write_text("")
    with pytest.raises(ValueError, match=r"same\.css"):
        assets.load([tmp_path / "one", tmp_path / "two"])


def test_institutions_are_in_the_order_of_their_names_without_accents() -> None:
    first, second, third = list(directory.load().institutions)[:3]
    known = [
        one.model_copy(update={"name": name})
        for one, name in zip((first, second, third), ("Secretaría", "Área Metropolitana", "alcaldía"), strict=True)
    ]
    assert [one.name for one in site.by_name(known)] == ["alcaldía", "Área Metropolitana", "Secretaría"]
