"""Everything that may arrive on an institution's topic gets its answer, its fact and its leaf, and repeats nothing."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from contracts import topics
from contracts.facts import Fact, QuarantinedFact, RefusedFact
from contracts.values import Verb
from deploy.embedded.stack import Stack
from deploy.ledger import checks, kafka, leaks
from deploy.ledger.rest import at_rest
from tests.support import builders as make
from tests.support import hostile
from tests.support.database import connect
from tests.support.wire import eventually, read_facts, send

pytestmark = pytest.mark.anyio


async def answers(stack: Stack, institution: str, offsets: list[int]) -> list[Fact]:
    """The facts that answer the records at these offsets of an institution's topic, in their order."""
    wanted = set(offsets)

    def ours(found: list[Fact]) -> list[Fact]:
        return [f for f in found if f.data.cause.owner == institution and f.data.cause.offset in wanted]

    found = await read_facts(stack, institution, lambda facts: len(ours(facts)) >= len(wanted))
    return sorted(ours(found), key=lambda fact: fact.data.cause.offset)


async def test_every_bad_record_is_answered_and_the_rest_of_its_batch_applied(system: Stack) -> None:
    cases = list(hostile.cases())
    offsets = await send(system, make.SENDER, [case.sent for case in cases])
    facts = await answers(system, make.SENDER, offsets)
    got = {
        case.name: (fact.outcome, getattr(fact.data, "problem", None) or getattr(fact.data, "reason", None))
        for case, fact in zip(cases, facts, strict=True)
    }
    assert got == {case.name: (case.outcome, case.reason) for case in cases}
    await one_leaf_each(system, make.SENDER, offsets)
    await nothing_repeats(system, hostile.CANARY)


async def test_a_header_name_that_is_not_utf8_stops_nobody(system: Stack) -> None:
    """Kafka takes it, and the client library below us cannot read it: once it stopped every institution."""
    script = Path(__file__).parent.parent / "support" / "send_bad_header_name.py"
    sent = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, str(script), system.addresses.kafka, make.SENDER, topics.inbound(make.SENDER)],
        env={**os.environ, "AIOKAFKA_NO_EXTENSIONS": "1", "PASSWORD": system.state.secret(f"kafka/{make.SENDER}")},
        check=True,
        capture_output=True,
        text=True,
    )
    offset = int(sent.stdout)
    (after,) = await send(system, make.SENDER, [hostile.sent(hostile.request())])
    facts = await answers(system, make.SENDER, [offset, after])
    assert [fact.outcome for fact in facts] == ["quarantined", "applied"]
    await one_leaf_each(system, make.SENDER, [offset, after])


async def test_a_body_that_is_no_party_learns_nothing(system: Stack) -> None:
    opened = hostile.request()
    await send(system, make.SENDER, [hostile.sent(opened)])
    asked = make.declaration(
        Verb.ACCEPTED, opened.envelope.referral, opened.envelope.need, by=make.OTHER,
        time=opened.envelope.time,
    )  # fmt: skip
    offsets = await send(system, make.OTHER, [hostile.sent(asked)])
    (fact,) = await answers(system, make.OTHER, offsets)
    assert isinstance(fact.data, RefusedFact)
    assert (fact.data.reason, fact.data.state) == ("unknown-referral", None)


async def test_a_reason_names_what_to_mend(system: Stack) -> None:
    case = next(case for case in hostile.cases() if case.name == "unknown code")
    (fact,) = await answers(system, make.SENDER, await send(system, make.SENDER, [case.sent]))
    assert isinstance(fact.data, QuarantinedFact)
    assert fact.data.detail == "details.service: enum"


async def one_leaf_each(stack: Stack, institution: str, offsets: list[int]) -> None:
    """Every record of these offsets has exactly one leaf."""
    connection = await connect(stack, "ruta_admin")

    async def leaves() -> bool:
        rows = await connection.fetch(LEAVES, topics.inbound(institution), offsets)
        assert all(row["leaves"] == 1 for row in rows)
        return len(rows) == len(offsets)

    try:
        await eventually(leaves, what="a leaf for every record")
    finally:
        await connection.close()


LEAVES = """
select e.record_offset, count(*) as leaves
  from audit.entry e join referrals.intake_position p using (cluster, topic_id, partition)
 where p.topic = $1 and e.record_offset = any($2::bigint[])
 group by 1
"""


async def nothing_repeats(stack: Stack, canary: str) -> None:
    """No topic of ours, no log, no mail and no table holds what was only in a sender's record."""
    async with at_rest(stack.target, 60) as rest:
        repeats = [str(misfit) for misfit in checks.canary_free(await kafka.read(stack.target, rest.ends, canary))]
    repeats += leaks.files(stack.state.logs, stack.state.mail, canary)
    connection = await connect(stack, "ruta_admin")
    try:
        repeats += [found async for found in leaks.tables(connection, canary)]
    finally:
        await connection.close()
    assert repeats == []
