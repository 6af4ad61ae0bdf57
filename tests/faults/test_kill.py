"""kill -9 of every part of the system, once each, while institutions work: afterwards the ledger holds."""

from pathlib import Path

import pytest

from deploy.embedded.ports import Ports
from deploy.embedded.stack import Stack
from tests.faults.load import killed, under_load

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(420)]


async def test_every_part_killed_once_under_load(session_folder: Path, anyio_backend: str) -> None:
    async with Stack(session_folder / "kill", Ports.free()) as stack:
        await stack.start(*stack.services)
        for name in stack.services:
            await stack.wait_ready(name, 60)
        victims = (*stack.services, "kafka", "postgres")
        async with under_load(stack) as load:
            for victim in victims:
                await load.progress()
                await killed(stack, victim)
        restarts = {status.name: status.restarts for status in stack.statuses()}
    assert all(restarts[victim] >= 1 for victim in victims)
