"""What every service's HTTP interface promises."""

from datetime import datetime

import httpx
import pytest

from services.runtime import web

pytestmark = pytest.mark.anyio


async def get(path: str, waiting: list[str]) -> httpx.Response:
    async def missing() -> list[str]:
        return waiting

    app = web.api("test", missing)

    @app.get("/numbers/{number}")
    async def numbers(number: int) -> int:
        return number

    @app.get("/moments/{moment}")
    async def moments(moment: datetime) -> datetime:
        return moment

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.get(path)


async def test_a_waiting_service_is_alive_and_says_what_it_waits_for() -> None:
    assert (await get("/livez", ["PostgreSQL does not answer"])).status_code == 200
    answer = await get("/readyz", ["PostgreSQL does not answer"])
    assert (answer.status_code, answer.json()["missing"]) == (503, ["PostgreSQL does not answer"])
    assert (await get("/readyz", [])).status_code == 200


async def test_a_wrong_request_is_answered_without_repeating_it() -> None:
    answer = await get("/numbers/Yuleisy", [])
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["where"] == ["path", "number"]
    assert answer.json()["detail"][0]["problem"] == "int_parsing"
    assert "Yuleisy" not in answer.text


@pytest.mark.parametrize("path", ["/moments/2026-11-24T15:00:00Yuleisy", "/moments/Yuleisy", "/numbers/27654321x"])
async def test_no_message_of_the_framework_is_passed_on(path: str) -> None:
    answer = await get(path, [])
    assert answer.status_code == 422
    assert answer.json()["detail"][0].keys() == {"where", "problem"}
    assert set(answer.json()["detail"][0]["problem"]) <= set("abcdefghijklmnopqrstuvwxyz_")
