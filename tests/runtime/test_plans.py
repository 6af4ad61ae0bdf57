"""No statement on a batch reads a whole table: one plan for every batch size, before and after statistics."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import services
from deploy.embedded.stack import Stack
from services.notifications.settings import Settings as NotificationsSettings
from services.runtime import database, positions, sql
from services.runtime.settings import Settings
from tests.support.database import connect, own_schema

pytestmark = pytest.mark.anyio

ROWS = 5_000
ONE_ROW = {"relay_cursor"}
_FOLDER = Path(services.__file__).parent

STATEMENTS = {
    "referrals": (
        "intake.lock", "intake.answered", "intake.lock_chains", "intake.formers", "intake.write", "read.outcome",
        "relay.relay_read", "relay.relay_advance",
    ),
    "notifications": (
        "intake.tell", "worker.letters", "worker.settle", "worker.urgent", "relay.relay_read", "relay.relay_advance",
    ),
    "audit": ("log.positions", "log.referral_tails", "log.first_uses"),
}  # fmt: skip
"""Every statement on a batch that finds rows, by its service, its file and its name."""

FILL = {
    "referrals": """
insert into referral (referral, version, state, sender, recipient, need, person, service, urgency, opened_at,
                      changed_at, root, path, clock_from, asked)
select id, 1, 'requested', 'a', 'b', gen_random_uuid(), gen_random_uuid(), 's', 'U1', now(), now(), id, '{}', now(),
       '{}'
  from (select gen_random_uuid() as id from generate_series(1, $1::int)) as made;
insert into fact (fact_id, kind, outcome, ordinal, answer, referral, version, owner, event_id, digest, parties,
                  received_at, cluster, topic_id, partition, record_offset, value)
select gen_random_uuid(), 'requested', 'applied', 0, true, referral, 1, 'a', gen_random_uuid(), sha256('x'), '{a,b}',
       now(), 'c', 't', 0, 1, 'x'
  from referral;
insert into sealed select fact_id, 'b', 'x' from fact""",
    "notifications": """
insert into alert (alert_id, fact_id, recipient, channel, kind, referral, urgency, actor, occurred_at, status)
select gen_random_uuid(), gen_random_uuid(), 'a', 'inbox', 'requested', gen_random_uuid(), 'U1', 'b', now(), 'delivered'
  from generate_series(1, $1::int);
insert into receipt (receipt_id, alert_id, status, attempt, at)
select gen_random_uuid(), alert_id, 'delivered', 0, now() from alert""",
    "audit": """
insert into entry (index, kind, cluster, topic, topic_id, partition, record_offset, last_offset, owner, owner_seq,
                   referral, referral_seq, leaf)
select n, 'event', 'c', 't', 't', 0, n, n, 'o' || n % 20, n + 1, gen_random_uuid(), 1, 'x'
  from generate_series(0, $1::int) as n;
insert into first_use select 'o' || n % 20, gen_random_uuid(), n, sha256('x') from generate_series(0, $1::int) as n;
insert into span select n, 'c', 't', 0, n, n + 1 from generate_series(0, $1::int) as n""",
}
"""So many rows of every table that a plan would show whom it does not suit."""


@pytest.fixture(params=list(STATEMENTS))
async def service(
    request: pytest.FixtureRequest, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[str, asyncpg.Connection, asyncpg.Connection]]:
    """A service's name, its own connection as it makes it, and the superuser's."""
    name = request.param
    for variable, value in stack.environment(name).items():
        if variable.startswith("RUTA_"):
            monkeypatch.setenv(variable, value)
    async with own_schema(stack, name) as schema:
        settings = NotificationsSettings() if name == "notifications" else Settings()
        made = await database.connect(settings)
        await made.execute(f"set search_path to {schema}")
        admin = await connect(stack, "ruta_admin", schema)
        yield name, made, admin
        await admin.close()
        await made.close()


async def test_plans_do_not_flip(service: tuple[str, asyncpg.Connection, asyncpg.Connection]) -> None:
    name, connection, admin = service

    async def plans() -> dict[str, list[str]]:
        return {key: await used(connection, _text(name, key)) for key in STATEMENTS[name]}

    empty = await plans()
    for statement in FILL[name].split(";"):
        await admin.execute(statement.replace("$1", str(ROWS)))
    filled = await plans()
    await admin.execute("analyze")
    assert empty == filled == await plans()


async def test_positions_are_found_by_their_key(
    service: tuple[str, asyncpg.Connection, asyncpg.Connection],
) -> None:
    name, connection, _ = service
    if name == "audit":
        pytest.skip("its positions are in its batches")
    text = sql.load(Path(positions.__file__).parent / "sql" / "intake.sql")["advance"]
    assert await used(connection, text) == ["intake_position_pkey"]


def _text(service: str, key: str) -> str:
    file, _, statement = key.partition(".")
    return sql.load(_FOLDER / service / "sql" / f"{file}.sql")[statement]


async def used(connection: asyncpg.Connection, text: str) -> list[str]:
    """The indexes that the plan of a prepared statement reads; a table or an index read as a whole fails the test."""
    await connection.execute(f"prepare probe as {text}")
    # One plan serves all values, so none are needed.
    values = ", ".join("null" for _ in set(re.findall(r"\$\d+", text)))
    plan = json.loads(await connection.fetchval(f"explain (format json) execute probe({values})"))
    await connection.execute("deallocate probe")
    found = []
    for node in nodes(plan[0]["Plan"]):
        assert node["Node Type"] != "Seq Scan" or node["Relation Name"] in ONE_ROW, text
        if "Index Name" in node:
            assert "Index Cond" in node, text
            found.append(node["Index Name"])
    return sorted(found)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)
