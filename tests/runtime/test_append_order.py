"""Positions become visible in their order: who appends waits before it draws one, so no cursor passes a late row."""

import asyncio

import pytest

from deploy.embedded.stack import Stack
from tests.support.database import APPEND_FACT, connect, own_schema
from tests.support.wire import eventually

pytestmark = pytest.mark.anyio

APPEND = {
    "referrals": APPEND_FACT,
    "notifications": (
        "with made as ("
        " insert into alert (alert_id, fact_id, recipient, channel, kind, actor, occurred_at, status)"
        " values (gen_random_uuid(), gen_random_uuid(), 'a', 'inbox', 'refused', 'b', now(), 'delivered')"
        " returning alert_id)"
        " insert into receipt (receipt_id, alert_id, status, attempt, at)"
        " select gen_random_uuid(), alert_id, 'delivered', 0, now() from made returning position"
    ),
}


@pytest.mark.parametrize("service", APPEND)
async def test_who_appends_second_gets_the_later_positions(stack: Stack, service: str) -> None:
    async with own_schema(stack, service) as schema:
        first, second = [await connect(stack, f"{service}_app", schema) for _ in range(2)]
        async with first.transaction():
            begun = await first.fetchval(APPEND[service])
            waiting = asyncio.ensure_future(second.fetchval(APPEND[service]))
            pid = second.get_server_pid()

            async def waits() -> bool:
                return bool(
                    await first.fetchval(
                        "select true from pg_locks where pid = $1 and locktype = 'advisory' and not granted", pid
                    )
                )

            await eventually(waits, 10, "the second append waiting")
            ended = await first.fetchval(APPEND[service])
        assert begun < ended < await waiting
        await first.close()
        await second.close()
