"""A service that starts while PostgreSQL does waits for it, and no longer than it says."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from deploy.embedded.stack import Stack
from deploy.faults.proxy import Proxy, Weather
from services.runtime import database
from services.runtime.settings import Settings

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Settings]:
    for variable, value in stack.environment("referrals").items():
        if variable.startswith("RUTA_"):
            monkeypatch.setenv(variable, value)

    def at(port: int) -> Settings:
        monkeypatch.setenv("RUTA_DATABASE_PORT", str(port))
        return Settings()

    return at


@pytest.mark.parametrize("opening", [database.connect, database.pool])
async def test_a_server_that_comes_up_is_waited_for(
    stack: Stack, settings: Callable[[int], Settings], opening: Callable[[Settings], Any]
) -> None:
    async with Proxy(stack.ports.postgres) as proxy:
        proxy.be(Weather.GONE)
        connecting = asyncio.ensure_future(opening(settings(proxy.port)))
        await asyncio.sleep(3 * database.TRIED_EVERY)
        assert not connecting.done()
        proxy.be(Weather.CLEAR)
        connection = await connecting
        assert await connection.fetchval("select 1") == 1
        await connection.close()


async def test_a_server_that_does_not_come_up_is_an_error(
    stack: Stack, settings: Callable[[int], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "UP_WITHIN", 0.2)
    async with Proxy(stack.ports.postgres) as proxy:
        proxy.be(Weather.GONE)
        with pytest.raises(database.NOT_UP):
            await database.connect(settings(proxy.port))


async def test_only_who_asks_for_it_commits_without_the_disk(stack: Stack, settings: Callable[[int], Settings]) -> None:
    own = settings(stack.ports.postgres)
    for more, waits in (({}, "on"), (database.LAZILY, "off")):
        connection = await database.connect(own, more=more)
        assert await connection.fetchval("show synchronous_commit") == waits
        assert await connection.fetchval("show plan_cache_mode") == "force_generic_plan"
        await connection.close()
