"""`./ruta ledger` on a running system: what fits, the first record that does not, and a system that does not rest."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from contracts import topics
from deploy import provision
from deploy.embedded.ports import Ports
from deploy.embedded.stack import Stack
from deploy.embedded.state import CHECKOUT
from deploy.provision_kafka import admin_client
from tests.faults.load import under_load
from tests.support import builders as make
from tests.support import hostile
from tests.support.wire import send

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]


async def ledger(stack: Stack, *options: str) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy", "ledger", *options),
        cwd=CHECKOUT, env=os.environ | {"RUTA_STATE": str(stack.state.root)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


def forget(stack: Stack) -> dict[str, int]:
    """As retention does it one day: half of every partition is gone. Returns where those that lost some begin."""
    operator = admin_client(stack.addresses.kafka, topics.OPERATOR, stack.state.secret(f"kafka/{topics.OPERATOR}"))
    places = [
        TopicPartition(topic.name, number)
        for topic in topics.provisioned(stack.target.directory)
        for number in range(topic.partitions)
    ]
    ends = operator.list_offsets({place: OffsetSpec.latest() for place in places})  # type: ignore[no-untyped-call]
    halves = {place: found.result(30).offset // 2 for place, found in ends.items()}
    gone = [TopicPartition(place.topic, place.partition, half) for place, half in halves.items() if half]
    for done in operator.delete_records(gone).values():
        done.result(30)
    return {f"{one.topic}-{one.partition}": one.offset for one in gone}


async def test_what_fits_what_does_not_and_what_does_not_rest(session_folder: Path, anyio_backend: str) -> None:
    async with Stack(session_folder / "ledger", Ports.free()) as stack:
        await stack.start(*stack.services)
        for name in stack.services:
            await stack.wait_ready(name, 60)
        async with under_load(stack) as load:
            await load.progress()

        code, out, _ = await ledger(stack, "--json")
        result: dict[str, Any] = json.loads(out)
        assert (code, result["ledger_ok"], result["problems"]) == (0, True, [])
        assert result["published"] == result["applied"] > 0

        begins = await asyncio.to_thread(forget, stack)
        code, out, _ = await ledger(stack)
        assert code == 0, out
        assert {f"NOTE {place} begins at offset {first}" for place, first in begins.items()} <= set(out.splitlines())
        left = next(int(line.split()[1]) for line in out.splitlines() if line.split()[0] == "published")
        assert left < result["published"]

        administrator = await provision.administrator(stack.target)
        gone = await administrator.fetchval(
            "delete from referrals.fact where position = (select max(position) from referrals.fact where answer)"
            " returning fact_id"
        )
        await administrator.close()
        code, out, _ = await ledger(stack)
        first = next(line for line in out.splitlines() if line.startswith("PROBLEM"))
        assert code == 1
        assert "has 0 outcomes" in first
        assert f"PROBLEM fact {gone} was published but is not stored" in out.splitlines()

        await stack.stop("audit")
        await send(stack, make.SENDER, [hostile.sent(hostile.request())])
        code, out, err = await ledger(stack, "--within", "3")
        assert (code, out) == (1, "")
        assert "No moment of rest within 3 s: " in err
        assert "unread by audit" in err
