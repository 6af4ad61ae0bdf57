"""Our own rules fail in a running system: what waits, who does not notice, and what the release makes of it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from contracts.codec import Declaration
from contracts.directory import Directory, Kind
from contracts.facts import Fact
from contracts.sdk import Publisher
from contracts.values import Verb
from deploy import commands_quarantine
from deploy.embedded.ports import Ports
from deploy.embedded.stack import Stack
from deploy.embedded.state import CHECKOUT
from deploy.ledger import ledger
from deploy.ledger.ledger import Ledger
from tests.support import builders as make
from tests.support import hostile
from tests.support.wire import eventually, read_facts, send

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

FAILING_RULES = """
import sys
from pathlib import Path

if "services.referrals" in sys.orig_argv:
    from services.referrals import policy

    check = policy.check

    def failing(said, *rest):
        named = Path({file!r}).read_text().split()
        if str(said.envelope.referral) in named or "all" in named:
            raise ZeroDivisionError
        return check(said, *rest)

    policy.check = failing
"""
"""Python runs this before the service: its rules fail on the referrals that the file names, until it names none."""

GARBAGE = 6_000
"""A minute's work for who is slowed down: what is looked at meanwhile may take its time."""


@dataclass(frozen=True)
class Broken:
    """A system whose rules can be made to fail."""

    stack: Stack
    file: Path

    def fail(self, *referrals: UUID | str) -> None:
        self.file.write_text(" ".join(map(str, referrals)))

    async def declare(self, *declarations: Declaration) -> list[Fact]:
        """Each by whom it says; returns the answers."""
        return [await self._declare(one) for one in declarations]

    async def _declare(self, one: Declaration) -> Fact:
        institution = one.envelope.institution
        (offset,) = await send(self.stack, institution, [hostile.sent(one)])
        return await self.outcome(institution, offset)

    async def outcome(self, institution: str, offset: int, *, released: bool = False) -> Fact:
        def ours(found: list[Fact]) -> list[Fact]:
            causes = [(f, f.data.cause) for f in found if f.answer]
            mine = [(f, c) for f, c in causes if (c.owner, c.offset) == (institution, offset)]
            return [f for f, c in mine if bool(c.released) == released]

        return ours(await read_facts(self.stack, institution, lambda found: bool(ours(found))))[0]

    async def readiness(self) -> list[str]:
        """What the referral service says that it waits for."""
        async with httpx.AsyncClient(timeout=10) as client:
            answer = await client.get(f"{self.stack.addresses.http['referrals']}/readyz")
        return [] if answer.status_code == 200 else list(answer.json()["missing"])

    async def ledger(self) -> Ledger:
        found = await ledger.check(self.stack.target, within=60)
        assert found.problems == ()
        return found


@asynccontextmanager
async def broken(folder: Path) -> AsyncIterator[Broken]:
    file = folder / "failing-rules"
    file.touch()
    early = folder / "early"
    early.mkdir()
    (early / "sitecustomize.py").write_text(FAILING_RULES.format(file=str(file)))
    environment = {"PYTHONPATH": f"{early}:{CHECKOUT}"}
    async with Stack(folder / "internal-errors", Ports.free(), extra_environment=environment) as stack:
        await stack.start(*stack.services)
        for name in stack.services:
            await stack.wait_ready(name, 60)
        yield Broken(stack, file)


async def test_our_own_failures_hold_up_their_referral_only_and_lose_nothing(
    session_folder: Path, anyio_backend: str
) -> None:
    async with broken(session_folder) as system:
        await one_referral_waits(system)
        await many_failures_stop_intake(system)
        await who_has_no_topics_is_told_nothing(system)
        await garbage_slows_its_sender_only(system)


async def one_referral_waits(system: Broken) -> None:
    asked, other = hostile.request(), hostile.request()
    await system.declare(asked)
    bad, need = asked.envelope.referral, asked.envelope.need
    system.fail(bad)

    def about(verb: Verb, by: str) -> Declaration:
        return make.declaration(verb, bad, need, by=by, time=datetime.now(UTC))

    answers = await system.declare(
        about(Verb.RECEIVED, make.RECIPIENT),
        about(Verb.ACCEPTED, make.RECIPIENT),
        other,
        about(Verb.WITHDRAWN, make.SENDER),
    )
    assert [answer.outcome for answer in answers] == ["quarantined", "parked", "applied", "parked"]
    assert [answer.provisional for answer in answers] == [True, True, False, True]
    assert await system.readiness() == []
    found = await system.ledger()
    assert (found.applied, found.quarantined, found.parked) == (2, 1, 2)
    (failed,), (waiting,) = await commands_quarantine.found(system.stack.target)
    assert json.loads(failed["value"])["problem"] == "internal-error"
    assert (waiting["root"], waiting["records"]) == (bad, 3)

    system.fail()
    before = answers[0]
    event = before.data.cause.event
    assert event
    password = system.stack.state.secret(f"kafka/{make.RECIPIENT}")
    async with Publisher(make.RECIPIENT, bootstrap=system.stack.addresses.kafka, password=password) as publisher:
        assert await publisher.outcome(event) == before
        released = await commands_quarantine.run(system.stack.target, bad)
        assert (released.records, released.waiting) == (3, [])
        after = await system.outcome(make.RECIPIENT, before.data.cause.offset, released=True)
        assert await publisher.outcome(event) == after
    assert after.data.kind == "received"
    assert after.time == before.time  # the broker's, not that of the release
    found = await system.ledger()
    assert (found.applied, found.quarantined, found.parked) == (5, 0, 0)
    assert await commands_quarantine.found(system.stack.target) == ([], [])


async def many_failures_stop_intake(system: Broken) -> None:
    """Nothing more is taken, /readyz says why, and what was not taken waits in Kafka as it was sent."""
    system.fail("all")
    requests = [hostile.request() for _ in range(15)]
    offsets = await send(system.stack, make.SENDER, [hostile.sent(one) for one in requests])

    async def says_so() -> bool:
        return any("ruta quarantine release" in what for what in await system.readiness())

    await eventually(says_so, 30, "intake standing still")
    system.fail()
    assert (await system.outcome(make.SENDER, offsets[-1])).outcome in ("applied", "parked")

    async def ready() -> bool:
        return not await system.readiness()

    await eventually(ready, 30, "intake going on")
    assert not (await commands_quarantine.run(system.stack.target)).waiting
    found = await system.ledger()
    assert (found.applied, found.quarantined, found.parked) == (20, 0, 0)


async def who_has_no_topics_is_told_nothing(system: Broken) -> None:
    """A new oversight body is in the directory, `./ruta topics apply` has not run, and a release opens a conflict."""
    asked = hostile.request()
    await system.declare(asked)
    bad, need = asked.envelope.referral, asked.envelope.need
    back = make.redirected(make.SENDER)
    system.fail(bad)
    (answer,) = await system.declare(
        make.declaration(Verb.REDIRECTED, bad, need, by=make.RECIPIENT, details=back, time=datetime.now(UTC))
    )
    assert answer.provisional
    system.fail()
    target = system.stack.target
    new = make.institution("contraloria-giron", Kind.DISCIPLINARY, oversight=True)
    target = replace(target, directory=Directory(institutions=(*target.directory.institutions, new)))
    released = await commands_quarantine.run(target, bad)
    assert (released.records, released.waiting) == (1, [])
    opened = await system.outcome(make.RECIPIENT, answer.data.cause.offset, released=True)
    assert opened.data.kind == "conflict-opened"
    assert (await system.ledger()).applied == 22


async def garbage_slows_its_sender_only(system: Broken) -> None:
    garbage = [hostile.Sent(b"k", [], b"{") for _ in range(GARBAGE)]
    offsets = await send(system.stack, make.OTHER, garbage)
    (answer,) = await system.declare(hostile.request())
    assert answer.outcome == "applied"
    facts = await read_facts(system.stack, make.OTHER, lambda found: len(found) >= 250)
    assert max(fact.data.cause.offset for fact in facts) < offsets[-1]
    assert await system.readiness() == []
