"""The plain system decides, alerts and logs what Ruta does: otherwise comparing their speed would mean nothing."""

import json
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from contracts.directory import load as read_directory
from deploy.bench import load, naive, saturate
from deploy.bench.load import Row
from deploy.bench.progress import RutaProgress, administrator
from deploy.bench.publish import Sender
from deploy.embedded.stack import SERVICES, Stack
from tests.support import builders as make
from tests.support import hostile

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(400)]

DECIDED = ("kind", "version", "state", "previous", "reason", "problem", "detail", "first_outcome", "sealed_sha256")


def bad_rows() -> list[Row]:
    """Everything that may arrive on one topic."""
    return [
        Row(make.SENDER, uuid4(), case.sent.key, case.sent.headers, case.sent.value, case.outcome)  # type: ignore[arg-type]
        for case in hostile.cases()
    ]


async def test_the_same_input_has_the_same_outcomes(measured: Stack, plain: Stack) -> None:
    made = load.make(read_directory(), 120, seed=3)
    waves = [bad_rows(), *made.waves]
    async with administrator(measured.target) as connection:
        await saturate.run(waves, Sender(measured.target), RutaProgress(connection))
        ours = await said(connection, "referrals.", "notifications.", ours=True)
    async with naive.system(plain) as progress:
        await saturate.run(waves, Sender(plain.target), progress)
        theirs = await said(progress.connection, "", "", ours=False)
    expected = {(row.institution, row.outcome) for wave in waves for row in wave}
    assert expected <= {(fact["owner"], fact["outcome"]) for fact in theirs["facts"]}
    for part, rows in ours.items():
        assert rows, part
        assert theirs[part] == rows, part
    for name in SERVICES:
        # The line of Ruta's own runner, behind its event loop and its tuning of the garbage collector.
        assert '"logger": "ruta.process", "message": "started"' in plain.supervisor.log(f"naive-{name}").read_text(
            "utf-8"
        )


async def said(
    connection: asyncpg.Connection, referrals: str, notifications: str, *, ours: bool
) -> dict[str, list[dict[str, Any]]]:
    """What a system made of its records, without the ids and times that differ between two clusters."""
    facts, places = [], {}
    for row in await connection.fetch(f"select fact_id, owner, event_id, outcome, value from {referrals}fact"):
        value = json.loads(row["value"])
        places[row["fact_id"]] = place = {"owner": row["owner"], "offset": value["cause"]["offset"]}
        facts.append(place | {n: row[n] for n in ("event_id", "outcome")} | {n: value.get(n) for n in DECIDED})
    states = await connection.fetch(
        "select referral, version, state, sender, recipient, need, person, service, urgency "
        f"from {referrals}referral where version > 0"
    )
    alerts = await connection.fetch(
        f"select fact_id, recipient, channel, kind, urgency, reason from {notifications}alert"
    )
    leaves = await connection.fetch(
        f"select topic, {'record_offset' if ours else 'position'} as at, owner, kind "
        f"from {'audit.entry' if ours else 'leaf'} where topic like 'ruta.in.%'"
    )
    return {
        "facts": _sorted(facts),
        "states": _sorted([dict(row) for row in states]),
        "alerts": _sorted([{**row, "fact_id": None} | places[row["fact_id"]] for row in alerts]),
        "leaves": _sorted([dict(row) for row in leaves]),
    }


def _sorted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: json.dumps(row, default=str, sort_keys=True))
