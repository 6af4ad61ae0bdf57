"""What the institutions of the state machine do, on a real PostgreSQL: stored, it is what the rules made of it."""

from collections.abc import AsyncIterator
from random import Random, randrange

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from contracts.codec import Record
from deploy.embedded.stack import Stack
from services.referrals import rows
from services.referrals.refold import refold
from tests.referrals.stage import Stage
from tests.referrals.test_intake import intake
from tests.referrals.test_machine import Mesa
from tests.support.database import connect, own_schema

pytestmark = pytest.mark.anyio

LOGS = 8


@pytest.fixture
async def connection(stack: Stack) -> AsyncIterator[asyncpg.Connection]:
    async with own_schema(stack, "referrals") as name:
        made = await connect(stack, "ruta_admin", name)
        yield made
        await made.close()


def recorded() -> list[list[Record]]:
    """What was taken in the longest of some runs of the machine."""
    logs: list[list[Record]] = []

    class Recording(Mesa):
        def teardown(self) -> None:
            logs.append(self.taken)

    quick = settings(
        max_examples=4 * LOGS, stateful_step_count=40, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    run_state_machine_as_test(Recording, settings=quick)
    return sorted(logs, key=len)[-LOGS:]


async def test_whatever_institutions_do_is_stored_as_the_rules_decide_it(connection: asyncpg.Connection) -> None:
    seed = randrange(2**31)
    print(f"seed {seed}")
    dice = Random(seed)
    for log in recorded():
        stage = Stage()
        stage.batch(log)
        await connection.execute("truncate referral, fact, sealed, intake_position, parked cascade")
        taking = await intake(connection, "test-cluster", log, prefix="id-of")
        at = 0
        while at < len(log):
            size = dice.randint(1, 12)
            await taking._take(log[at : at + size])
            at += size
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
