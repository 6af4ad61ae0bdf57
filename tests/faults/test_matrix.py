"""A short selection of `./ruta faults`; the whole matrix is run on demand. Each run prints its seed."""

from math import isnan
from random import randrange

import pytest

from deploy.faults import hot, matrix
from deploy.faults.scenarios import FAULTS
from deploy.faults.system import Setting, system
from deploy.faults.waiting import eventually
from services.runtime import failpoints
from services.runtime.failpoints import POINTS, Action

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]

SHORT = (
    "kill referrals at intake.committed",
    "kill notifications at mail.sent",
    "kill audit at log.committed",
    "topic recreated unseen",
    f"hot referral of {hot.SHORT:_}",
)


SESSIONS = 30
"""Of three services in PostgreSQL: work, relay and pool of each, and what listens. Faults leave no more behind."""


@pytest.fixture
def seed() -> int:
    drawn = randrange(2**31)
    print(f"seed {drawn}")
    return drawn


def test_every_fault_has_a_name_of_its_own() -> None:
    names = [fault.name for fault in FAULTS]
    assert len(set(names)) == len(names)
    assert set(SHORT) <= set(names)


async def test_every_failpoint_is_hit(seed: int, anyio_backend: str) -> None:
    async with system(Setting.PLAIN, seed) as running:
        for service, points in POINTS.items():
            for point in points:
                failpoints.arm(running.failpoints, service, point, Action.PASS)
        async with running.load.flowing():

            async def none_left() -> bool:
                return not failpoints.armed(running.failpoints)

            await eventually(none_left, 90, "every point being hit")


async def test_the_ledger_holds_under_a_selection(seed: int, anyio_backend: str) -> None:
    chosen = [fault for fault in FAULTS if fault.name in SHORT]
    results = await matrix.run(chosen, seed)
    print(matrix.summary(results))
    assert [result.problems for result in results] == [()] * len(SHORT)
    # How long until there is something new is told of every kill, and of nothing else.
    assert all(isnan(result.first) is not result.fault.startswith("kill ") for result in results)
    assert max(result.sessions for result in results) <= SESSIONS
