"""What the institutions of the state machine do, on a real PostgreSQL: stored, it is what the rules made of it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from random import Random, randrange

import asyncpg
import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from contracts import facts
from contracts.codec import Record
from deploy.embedded.stack import Stack
from services.referrals import rows
from services.referrals.answers import Decided
from services.referrals.entries import read
from services.referrals.fold import SealedPart
from services.referrals.refold import refold
from tests.referrals.stage import Stage
from tests.referrals.test_intake import intake
from tests.referrals.test_machine import Mesa
from tests.referrals.witness import Witness
from tests.support import builders as make
from tests.support.database import connect

pytestmark = pytest.mark.anyio

LOGS = 8


@pytest.fixture
async def connection(stack: Stack, schema: str) -> AsyncIterator[asyncpg.Connection]:
    made = await connect(stack, "ruta_admin", schema)
    yield made
    await made.close()


def recorded(seed: int) -> list[list[Record]]:
    """What was taken in the longest of some runs of the machine."""
    logs: list[list[Record]] = []

    class Recording(Mesa):
        def teardown(self) -> None:
            logs.append(self.taken)

    quick = settings(
        max_examples=4 * LOGS, stateful_step_count=40, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    run_state_machine_as_test(hypothesis.seed(seed)(Recording), settings=quick)
    return sorted(logs, key=len)[-LOGS:]


async def test_whatever_institutions_do_is_stored_as_the_rules_decide_it(connection: asyncpg.Connection) -> None:
    seed = randrange(2**31)
    print(f"seed {seed}")
    dice = Random(seed)
    for log in recorded(seed):
        stage = Stage()
        stage.batch(log)
        await empty(connection)
        await take(connection, log, dice, most=12)
        facts = await connection.fetch("select value, parties from fact order by position")
        assert [(bytes(row["value"]), tuple(row["parties"])) for row in facts] == [
            (one.value, one.parties) for one in stage.facts
        ]
        stored = [rows.restore(row) for row in await connection.fetch("select * from referral")]
        assert {one.id: one for one in stored} == stage.referrals
        sealed = await connection.fetch("select fact_id, recipient, jwe from sealed")
        assert {(row["fact_id"], row["recipient"], row["jwe"]) for row in sealed} == {
            (one.fact_id, one.recipient, one.jwe) for one in stage.sealed
        }
        assert (await refold(connection)).differences == ()


async def test_two_workers_that_take_it_at_once_make_nothing_that_may_not_be(
    stack: Stack, schema: str, connection: asyncpg.Connection
) -> None:
    """Each has half of the topics; in which order they meet is left to chance, and the design judges the facts."""
    seed = randrange(2**31)
    print(f"seed {seed}")
    dice = Random(seed)
    workers = [await connect(stack, "referrals_app", schema) for _ in range(2)]
    for log in recorded(seed):
        await empty(connection)
        names = sorted({one.topic for one in log})
        halves = [[one for one in log if one.topic in names[half::2]] for half in range(2)]
        await asyncio.gather(*(take(one, half, dice, most=3) for one, half in zip(workers, halves, strict=True)))
        witness = Witness()
        for step in await decided(connection, log):
            if step[0].fact.outcome == "applied":
                sealed = await connection.fetch(
                    "select fact_id, recipient, jwe from sealed where fact_id = any($1)", [one.fact.id for one in step]
                )
                witness.step(step, [SealedPart(**row) for row in sealed])
        assert await connection.fetchval("select count(*) from fact where answer") == len(log)
        assert (await refold(connection)).differences == ()
    for one in workers:
        await one.close()


async def empty(connection: asyncpg.Connection) -> None:
    await connection.execute("truncate referral, fact, sealed, intake_position, parked cascade")


async def take(connection: asyncpg.Connection, log: list[Record], dice: Random, most: int) -> None:
    """Take all of it in batches of any size."""
    taking = await intake(connection, "test-cluster", log, prefix="id-of")
    at = 0
    while at < len(log):
        size = dice.randint(1, most)
        await taking._take(log[at : at + size])
        at += size


async def decided(connection: asyncpg.Connection, log: Sequence[Record]) -> list[list[Decided]]:
    """The stored facts of each record, in the order in which they were stored."""
    records = {(one.topic, one.offset): read(make.located(one), make.MEMBERS) for one in log}
    steps: dict[tuple[str, int], list[Decided]] = {}
    for row in await connection.fetch("select * from fact order by position"):
        data = facts.read(row["value"])
        fact = facts.Fact(row["fact_id"], row["received_at"], row["referral"], row["need"], data)
        place = data.cause.topic, data.cause.offset
        one = Decided(records[place], row["ordinal"], fact, row["value"], tuple(row["parties"]))
        steps.setdefault(place, []).append(one)
    return list(steps.values())
