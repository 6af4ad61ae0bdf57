"""Inboxes on a real PostgreSQL: what they show costs little however much was never opened, and opening is recorded."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from contracts.values import Urgency
from deploy.embedded.stack import Stack
from services.notifications import inbox
from services.runtime import sql
from tests.support.builders import NOW
from tests.support.database import connect, own_schema

pytestmark = pytest.mark.anyio

SQL = sql.load(Path(inbox.__file__).parent / "sql" / "read.sql")
NEVER_OPENED = 5_000
MOST = inbox.MOST_COUNTED + 1

ALERTS = """
insert into alert (alert_id, fact_id, recipient, channel, kind, urgency, actor, occurred_at, status, opened_at)
select gen_random_uuid(), gen_random_uuid(), $1, 'inbox', 'requested', $3, 'b', $4::timestamptz + n * interval '1 s',
       case when $5 then 'opened' else 'delivered' end, case when $5 then now() end
  from generate_series(1, $2::int) as n
"""


@pytest.fixture
async def admin(stack: Stack) -> AsyncIterator[asyncpg.Connection]:
    """A schema of its own, as the superuser sees it."""
    async with own_schema(stack, "notifications") as schema:
        connection = await connect(stack, "ruta_admin", schema)
        yield connection
        await connection.close()


def one_connection(connection: asyncpg.Connection) -> Any:
    """In place of a pool."""
    return SimpleNamespace(
        acquire=lambda: nullcontext(connection), fetch=connection.fetch, fetchval=connection.fetchval
    )


async def fill(connection: asyncpg.Connection, recipient: str, count: int, *, urgency: str, opened: bool) -> None:
    await connection.execute(ALERTS, recipient, count, urgency, NOW, opened)


@pytest.mark.parametrize(
    ("statement", "asked", "most"),
    [
        ("marks", (["full", "few", "none"], MOST), MOST + 12),
        ("unread", ("full", MOST), MOST),
        ("unread", ("few", MOST), 10),
        ("unread_by_institution", (["full", "few", "none"], MOST), MOST + 10),
        ("inbox", ("full", None, True, 50, None, None), 50),
        ("inbox", ("full", None, False, 50, None, None), 50),
        ("inbox", ("full", None, None, 50, None, None), 50),
        ("inbox", ("few", None, True, 50, None, None), 10),
        ("inbox", ("few", None, False, 50, None, None), 0),
        ("inbox", ("none", None, None, 50, None, None), 0),
        ("inbox_since", ("full", 0, 50), 50),
        ("inbox_since", ("few", 0, 50), 10),
    ],
)
async def test_what_nobody_opens_does_not_make_an_inbox_slow(
    admin: asyncpg.Connection, statement: str, asked: tuple[Any, ...], most: int
) -> None:
    await fill(admin, "full", 100, urgency="U2", opened=True)
    await fill(admin, "full", NEVER_OPENED, urgency="U2", opened=False)
    await fill(admin, "few", 10, urgency="U0", opened=False)
    await fill(admin, "others", 2 * NEVER_OPENED, urgency="U2", opened=False)
    await admin.execute("analyze")
    plan = json.loads(await admin.fetchval(f"explain (analyze, format json) {SQL[statement]}", *asked))
    assert round(sum(rows_read(plan[0]["Plan"]))) <= most  # loops have the rounded average of their rows


def rows_read(plan: dict[str, Any]) -> Iterator[float]:
    """What each scan of a table read, rows included that a filter dropped afterwards."""
    if "Relation Name" in plan:
        yield (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    for part in plan.get("Plans", []):
        yield from rows_read(part)


async def test_unread_alerts_are_counted_up_to_a_bound(admin: asyncpg.Connection) -> None:
    await fill(admin, "full", MOST + 5, urgency="U2", opened=False)
    await fill(admin, "urgent", 3, urgency="U0", opened=False)
    pool = one_connection(admin)
    assert await inbox.unread(pool, "full") == MOST
    found = await inbox.unread_by_institution(pool, ["full", "urgent", "empty"])
    assert {code: (row["unread"], row["urgent"]) for code, row in found.items()} == {
        "full": (MOST, False), "urgent": (3, True),
    }  # fmt: skip
    assert found["full"]["oldest"] == await admin.fetchval("select min(occurred_at) from alert")


async def test_nothing_follows_the_append_of_receipts_but_the_commit(admin: asyncpg.Connection) -> None:
    await fill(admin, "a", 2, urgency="U1", opened=False)
    first, alert = [row["alert_id"] for row in await admin.fetch("select alert_id from alert")]
    await inbox.mark_opened(one_connection(admin), "a", first, NOW)  # the client learns the types
    asked: list[str] = []
    with admin.query_logger(lambda logged: asked.append(logged.query)):
        assert await inbox.mark_opened(one_connection(admin), "a", alert, NOW) == NOW
    await asyncio.sleep(0)  # the client tells of a statement a turn later
    assert "insert into receipt" in asked[-2]
    assert asked[-1] == "COMMIT;"
    assert await inbox.mark_opened(one_connection(admin), "a", alert, NOW.replace(year=2030)) == NOW
    assert await inbox.mark_opened(one_connection(admin), "a", uuid4(), NOW) is None


async def test_all_are_opened_in_batches_with_a_receipt_each(
    admin: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "OPENED_AT_ONCE", 4)
    await fill(admin, "a", 10, urgency="U2", opened=False)
    await fill(admin, "a", 2, urgency="U0", opened=False)
    up_to = await admin.fetchval("select max(position) from alert")
    await fill(admin, "a", 3, urgency="U2", opened=False)
    await fill(admin, "b", 3, urgency="U2", opened=False)
    pool = one_connection(admin)
    await inbox.mark_all_opened(pool, "a", inbox.Filters(urgency=Urgency.U2), up_to, NOW)
    assert await inbox.unread(pool, "a") == 5
    await inbox.mark_all_opened(pool, "a", inbox.Filters(), up_to, NOW)
    assert (await inbox.unread(pool, "a"), await inbox.unread(pool, "b")) == (3, 3)
    receipts = await admin.fetch("select distinct alert_id, r.status, at from receipt as r join alert using (alert_id)")
    assert len(receipts) == await admin.fetchval("select count(*) from receipt") == 12
    assert {(row["status"], row["at"]) for row in receipts} == {("opened", NOW)}
