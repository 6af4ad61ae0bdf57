"""The seventeen mistakes of other systems (DESIGN §4), each with the test that keeps it out of this one.

Where the rules alone keep it out, the test is one of the rules; where processes and servers have their part in it, it
runs with real ones.
"""

import ast
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from contracts import topics
from contracts.values import Verb
from deploy.audit import verify_log
from deploy.embedded.ports import Ports
from deploy.embedded.stack import SERVICES, Stack
from tests.support import builders as make
from tests.support import hostile
from tests.support.database import connect
from tests.support.wire import eventually, login, read_facts, send

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

RULES = "tests/referrals/test_traps.py"
HERE = "tests/system/test_traps.py"
TRAPS = {
    "silent no-op, audited as done": f"{RULES}::test_what_may_not_be_is_refused_and_never_told_as_done",
    "anybody answers for the addressee": f"{RULES}::test_nobody_answers_for_the_addressee",
    "looked up by id alone": f"{RULES}::test_a_strangers_id_is_not_found",
    "the time of what was done is lost": f"{RULES}::test_every_step_keeps_its_own_times_and_its_person",
    "the sender is never told": f"{RULES}::test_the_sender_is_told_once_of_every_step_of_the_receiver",
    "a notice for every save": f"{RULES}::test_the_same_step_again_tells_nobody_again",
    "an unknown code means the default": f"{RULES}::test_a_code_that_nobody_knows_is_quarantined_and_its_sender_told",
    "the first match wins": f"{HERE}::test_of_two_that_fit_none_is_chosen",
    "today is worked out at the start": f"{RULES}::test_what_today_is_is_asked_of_every_record",
    "any state from any other": f"{RULES}::test_no_state_is_set_from_anywhere",
    "concluded without an outcome": f"{RULES}::test_nothing_is_concluded_without_saying_what_came_of_it",
    "published outside the transaction": "tests/faults/test_matrix.py::test_the_ledger_holds_under_a_selection",
    "a late form changes a closed case": "tests/referrals/test_policy.py::"
    "test_a_late_declaration_on_a_closed_referral_is_refused_and_told",
    "the end of the chain is cut off": "tests/audit/test_verify.py::test_a_log_cut_off_cleanly_is_found_by_who_saw_it",
    "a checkpoint that fails stops everything": f"{HERE}::test_a_log_that_cannot_sign_says_so_and_stops_nobody",
    "failed logins flood the log": f"{HERE}::test_failed_logins_leave_nothing_in_the_log",
    "a reminder after the refusal": f"{RULES}::test_whoever_has_answered_is_not_reminded",
}


def test_seventeen_traps_have_their_tests() -> None:
    assert len(TRAPS) == len(set(TRAPS.values())) == 17
    checkout = Path(__file__).parent.parent.parent
    for trap, test in TRAPS.items():
        file, _, name = test.partition("::")
        tree = ast.parse((checkout / file).read_text())
        assert any(getattr(node, "name", None) == name for node in tree.body), f"{trap}: no {name} in {file}"


async def test_of_two_that_fit_none_is_chosen(system: Stack) -> None:
    """The first record that fitted a search was taken for the one that was meant."""
    shared = uuid4().hex[:12]
    alike = [UUID(shared + uuid4().hex[12:]) for _ in range(2)]
    for referral in alike:
        asked = make.declaration(Verb.REQUESTED, referral, uuid4(), by=make.SENDER, time=datetime.now(UTC))
        await send(system, make.SENDER, [hostile.sent(asked)])
    await read_facts(system, make.SENDER, lambda facts: {fact.referral for fact in facts} >= set(alike))
    async with httpx.AsyncClient(base_url=system.addresses.http["referrals"]) as client:
        page = (await client.get("/", params={"buscar": shared})).text
        assert all(f"/referrals/{referral}" in page for referral in alike)
        assert (await client.get(f"/v1/referrals/{shared}")).status_code == 422


async def test_failed_logins_leave_nothing_in_the_log(system: Stack) -> None:
    """Whoever guessed passwords filled the history that others have to read."""
    connection = await connect(system, "ruta_admin")
    (before,) = await send(system, make.SENDER, [hostile.sent(hostile.request())])
    await logged(system, before)
    size = await connection.fetchval("select max(size) from audit.checkpoint")
    for _ in range(20):
        guesser = AIOKafkaProducer(**login(system, make.SENDER) | {"sasl_plain_password": "guessed"})
        with pytest.raises(KafkaError):
            await guesser.start()
        await guesser.stop()
    (after,) = await send(system, make.SENDER, [hostile.sent(hostile.request())])
    await logged(system, after)
    rows = await connection.fetch("select topic from audit.entry where index >= $1", size)
    await connection.close()
    # Two records of a declaration, its fact and the receipts of its notices; nothing of twenty guesses.
    assert {row["topic"] for row in rows} <= {topics.inbound(make.SENDER), topics.FACTS, topics.ALERTS}
    assert len([row for row in rows if row["topic"] == topics.inbound(make.SENDER)]) == 1


@pytest.fixture
async def own(session_folder: Path, anyio_backend: str) -> AsyncIterator[Stack]:
    """A system of its own: others must not meet a log that stands still."""
    async with Stack(session_folder / "traps", Ports.free()) as stack:
        await stack.start(*SERVICES)
        for name in SERVICES:
            await stack.wait_ready(name, 60)
        yield stack


async def test_a_log_that_cannot_sign_says_so_and_stops_nobody(own: Stack) -> None:
    """When time stamps failed, one system took no more messages, and another never stamped again."""
    admin = await connect(own, "ruta_admin")
    await admin.execute("revoke insert on audit.checkpoint from audit_app")
    made = [hostile.request() for _ in range(5)]
    offsets = await send(own, make.SENDER, [hostile.sent(one) for one in made])
    wanted = {one.envelope.referral for one in made}
    await read_facts(own, make.SENDER, lambda facts: {fact.referral for fact in facts} >= wanted)
    assert await admin.fetchval("select count(*) from audit.entry where topic = $1", topics.inbound(make.SENDER)) == 0
    await eventually(lambda: unready(own), 60, "the log saying that it stands still")

    async def told() -> bool:
        return bool(await admin.fetchval("select count(*) >= $1 from notifications.alert", len(made)))

    await eventually(told, what="the alerts")
    await admin.execute("grant insert on audit.checkpoint to audit_app")
    await admin.close()
    for offset in offsets:
        await logged(own, offset)
    verdict = await verify_log(own.target)
    assert verdict.misfit is None, str(verdict)


async def unready(stack: Stack) -> bool:
    """Whether the log says that it is not well, or its process has ended and is started again."""
    try:
        async with httpx.AsyncClient(timeout=10) as client:
            return (await client.get(f"{stack.addresses.http['audit']}/readyz")).status_code == 503
    except httpx.TransportError:
        return False


async def logged(stack: Stack, offset: int) -> None:
    """Wait for the leaf of a record of the sender's topic."""
    connection = await connect(stack, "ruta_admin")

    async def found() -> bool:
        return bool(
            await connection.fetchval(
                "select count(*) from audit.entry where topic = $1 and record_offset = $2",
                topics.inbound(make.SENDER),
                offset,
            )
        )

    await eventually(found, 90, "a leaf for the record")
    await connection.close()
