"""A relay that is frozen loses its place to the one that stands by; one that works keeps it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from deploy.embedded.stack import Stack
from services import referrals
from services.runtime import relay, sql
from services.runtime.relay import Relay
from tests.support.database import APPEND_FACT, connect, own_schema
from tests.support.wire import eventually

pytestmark = pytest.mark.anyio

SQL = sql.load(Path(referrals.__file__).parent / "sql" / "relay.sql")


@pytest.fixture
async def schema(stack: Stack) -> AsyncIterator[str]:
    async with own_schema(stack, "referrals") as name:
        yield name


async def test_a_frozen_holder_is_replaced(stack: Stack, schema: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "FENCED_AFTER", 0.5)
    holder, connection = await connect(stack, "referrals_app", schema), await connect(stack, "referrals_app", schema)
    assert await holder.fetchval(SQL["relay_lock"])
    await connection.execute(APPEND_FACT)
    standby = Relay(connection, cast(AIOKafkaProducer, None), SQL, lambda row: [], "unused", "received_at")
    running = asyncio.ensure_future(standby.run())
    try:
        await eventually(lambda: moved(stack, schema), 30, "the standby taking over")
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await holder.fetchval("select 1")
    finally:
        running.cancel()
        await asyncio.wait([running])
        await connection.close()


async def test_a_holder_that_has_nothing_to_do_keeps_its_place(
    stack: Stack, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "FENCED_AFTER", 0.0)
    monkeypatch.setattr(relay, "POLL_SECONDS", 0.05)
    holder, connection = await connect(stack, "referrals_app", schema), await connect(stack, "referrals_app", schema)
    assert await holder.fetchval(SQL["relay_lock"])
    standby = Relay(connection, cast(AIOKafkaProducer, None), SQL, lambda row: [], "unused", "received_at")
    looks: list[str] = []

    async def looked_often() -> bool:
        return running.done() or len(looks) > 10

    with connection.query_logger(lambda logged: looks.append(logged.query)):
        running = asyncio.ensure_future(standby.run())
        await eventually(looked_often)
    assert not running.done()
    assert standby.missing() == []
    assert await holder.fetchval("select 1") == 1
    running.cancel()
    await asyncio.wait([running])
    await holder.close()
    await connection.close()


async def moved(stack: Stack, schema: str) -> bool:
    connection = await connect(stack, "referrals_app", schema)
    try:
        return bool(await connection.fetchval("select position from relay_cursor"))
    finally:
        await connection.close()
