"""No statement on a batch reads a whole table: the same indexes at every batch size, before and after statistics."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

import services
from deploy.embedded.stack import Stack
from services.notifications.settings import Settings as NotificationsSettings
from services.runtime import database, positions, sql
from services.runtime.settings import Settings
from tests.support.database import connect, own_schema

pytestmark = pytest.mark.anyio

SIZES = (1, 10, 100, 2_000)
ROWS = 5_000
ONE_ROW = {"relay_cursor"}
_FOLDER = Path(services.__file__).parent


def ids(count: int) -> list[UUID]:
    return [uuid4() for _ in range(count)]


def _changing(n: int, now: datetime) -> list[Any]:
    false = [False] * n
    return [
        ids(n),
        [1] * n,
        ["received"] * n,
        [now] * n,
        [None] * n,
        [None] * n,
        false,
        false,
        false,
        false,
        [None] * n,
    ]


def statements(service: str) -> dict[str, Any]:
    """The arguments of every statement that finds rows, by its file and name, for a batch of a size."""
    now = datetime.now(UTC)
    if service == "referrals":
        return {
            "intake.lock": lambda n: [ids(n)],
            "intake.claims": lambda n: [ids(n), ["imebu", "icbf"]],
            "intake.forget": lambda n: [ids(n)],
            "intake.lock_chains": lambda n: [ids(n)],
            "intake.formers": lambda n: [["a"] * n, ids(n)],
            "intake.change": lambda n: _changing(n, now),
            "intake.open": lambda n: [
                *_changing(n, now), ["a"] * n, ["b"] * n, ids(n), ids(n), ["s"] * n, ["U1"] * n, [now] * n, ids(n),
                [None] * n, [""] * n, [None] * n, [now] * n, [None] * n, ["{}"] * n,
            ],
            "relay.relay_read": lambda n: [1_000, n],
            "relay.relay_advance": lambda n: [1, 1 + n],
        }  # fmt: skip
    return {
        "intake.known": lambda n: [ids(n)],
        "intake.known_urgencies": lambda n: [ids(n)],
        "worker.letters": lambda n: [ids(n)],
        "worker.settle": lambda n: [ids(n), ["sent"] * n],
        "relay.relay_read": lambda n: [1_000, n],
        "relay.relay_advance": lambda n: [1, 1 + n],
    }


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
}


@pytest.fixture(params=["referrals", "notifications"])
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

    async def plans() -> dict[str, set[str]]:
        wanted = statements(name)
        return {key: {str(await used(connection, name, key, make(n))) for n in SIZES} for key, make in wanted.items()}

    await plans()  # without rows any index is as good as another, but none must be no choice
    for statement in FILL[name].split(";"):
        await admin.execute(statement.replace("$1", str(ROWS)))
    before = await plans()
    await admin.execute("analyze")
    after = await plans()
    assert before == after
    assert {key: len(found) for key, found in after.items()} == dict.fromkeys(after, 1)


async def test_positions_are_found_by_their_key(
    service: tuple[str, asyncpg.Connection, asyncpg.Connection],
) -> None:
    _, connection, _ = service
    text = sql.load(Path(positions.__file__).parent / "sql" / "intake.sql")["advance"]
    for count in (1, 30, 500):
        values = ["c", [str(n) for n in range(count)], [0] * count, [1] * count, [2] * count]
        assert await used_by(connection, text, values) == ["intake_position_pkey"]


async def used(connection: asyncpg.Connection, service: str, key: str, values: Sequence[Any]) -> list[str]:
    file, _, statement = key.partition(".")
    return await used_by(connection, sql.load(_FOLDER / service / "sql" / f"{file}.sql")[statement], values)


async def used_by(connection: asyncpg.Connection, text: str, values: Sequence[Any]) -> list[str]:
    """The indexes that a statement's plan reads; a table read as a whole fails the test."""
    plan = json.loads(await connection.fetchval(f"explain (format json) {text}", *values))
    found = []
    for node in nodes(plan[0]["Plan"]):
        assert node["Node Type"] != "Seq Scan" or node["Relation Name"] in ONE_ROW, text
        if "Index Name" in node:
            found.append(node["Index Name"])
    return sorted(found)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)
