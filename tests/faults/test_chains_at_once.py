"""One chain, many institutions, two workers: each takes its topics as fast as it can, and all meet on the same rows."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts import topics
from contracts.codec import Declaration
from contracts.values import State, Verb
from deploy.database import reader
from deploy.embedded.ports import Ports
from deploy.embedded.stack import Stack
from deploy.ledger import ledger
from deploy.ledger.ledger import Ledger
from services.referrals import rows
from services.referrals.referral import Referral, StopDuty
from tests.faults.test_workers import division, request, shared_by, start
from tests.support import builders as make
from tests.support import hostile
from tests.support.wire import eventually, producer

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(420)]

CHAINS, AT_ONCE = 60, 6
ENDINGS = (Verb.WITHDRAWN, Verb.CONSENT_REVOKED, Verb.VOIDED)


class Chain:
    """A referral through three holders, whose sender takes it back meanwhile; two workers read what they declare."""

    def __init__(self, number: int, members: Sequence[str]) -> None:
        self.sender, self.holders = members[0], members[1:]
        self.root, self.need = uuid4(), uuid4()
        self.first, self.second = make.redirected(self.holders[1]), make.redirected(self.holders[2])
        self.ends_by, self.ends_at = ENDINGS[number % 3], (self.root, self.first.child)[number % 2]

    def opens(self) -> Declaration:
        """Rests on the person's authorisation, so that it can be revoked."""
        asked = make.requested(recipient=self.holders[0], legal_basis=make.AUTHORISED)
        return self._says(self.sender, Verb.REQUESTED, self.root, asked)

    def at_once(self) -> list[Declaration]:
        """What everybody declares at the same time, each twice: the same bytes at two offsets."""
        return 2 * [
            self._says(self.holders[0], Verb.REDIRECTED, self.root, self.first),
            self._says(self.holders[1], Verb.REDIRECTED, self.first.child, self.second),
            self._says(self.holders[2], Verb.RECEIVED, self.second.child),
            self._says(self.sender, self.ends_by, self.ends_at),
            self._says(self.sender, Verb.CONSENT_REVOKED, self.root),
        ]

    def _says(self, by: str, verb: Verb, referral: UUID, details: Any = None) -> Declaration:
        return make.declaration(verb, referral, self.need, by=by, details=details, time=datetime.now(UTC))


async def test_everybody_acts_at_once(session_folder: Path, anyio_backend: str) -> None:
    """On one chain; then an official declares through the pages what the institution's own system declares too."""
    async with Stack(session_folder / "chains", Ports.free(workers=2)) as stack:
        one, other = await two_workers(stack)
        before = await on_one_chain(stack, (one[0], other[0], one[1], other[1]))
        # The desk's topic is taken by one worker, this institution's by the other.
        sender = next(some[0] for some in (one, other) if topics.DESK not in some)
        await on_two_topics(stack, sender, before)


async def on_one_chain(stack: Stack, members: tuple[str, str, str, str]) -> Ledger:
    chains = [Chain(number, members) for number in range(CHAINS)]
    await declare(stack, [chain.opens() for chain in chains])
    await eventually(lambda: applied(stack, CHAINS), 60, "every referral being open")
    sent = 0
    for begin in range(0, CHAINS, AT_ONCE):
        made = [one for chain in chains[begin : begin + AT_ONCE] for one in chain.at_once()]
        await declare(stack, made)
        sent += len(made)
    found = await ledger.check(stack.target, within=180)
    assert found.problems == ()
    assert found.published == CHAINS + sent
    assert (found.quarantined, found.conflicts, found.parked) == (0, 0, 0)
    states = await referrals(stack)
    for chain in chains:
        whole(chain, states)
    parted = sum(state.parent is not None for state in states.values())
    print(f"{parted} redirections of {CHAINS} chains, {await deadlocks(stack)} deadlocks tried again")
    return found


def whole(chain: Chain, states: Mapping[UUID, Referral]) -> None:
    """No half of a redirection, and nobody who holds something that was taken back was left untold."""
    path: tuple[str, ...] = ()
    for here, beyond in ((chain.root, chain.first.child), (chain.first.child, chain.second.child)):
        one, child = states.get(here), states.get(beyond)
        assert one is not None or child is None
        if one is None:
            return
        assert (one.root, one.path) == (chain.root, path)
        path = (*path, one.recipient)
        if one.state is State.REDIRECTED:
            assert child is not None
        if child is not None:
            assert (child.root, child.parent, child.path, child.sender) == (chain.root, one.id, path, chain.sender)
            assert one.state in (State.REDIRECTED, State.VOIDED)
    root = states[chain.root]
    assert root.revoked or root.state is State.VOIDED
    assert root.stop_duty is StopDuty.OPEN


async def on_two_topics(stack: Stack, sender: str, before: Ledger) -> None:
    known = len(await referrals(stack))
    asked = [request(sender) for _ in range(CHAINS)]
    other_ids = [
        make.declaration(
            Verb.REQUESTED, uuid4(), one.envelope.need, by=sender, details=one.details, time=one.envelope.time
        )
        for one in asked
    ]
    for start_of in range(0, CHAINS, AT_ONCE):
        some = slice(start_of, start_of + AT_ONCE)
        await asyncio.gather(
            declare(stack, asked[some]),
            declare(stack, [*other_ids[some], *asked[some]], desk=True),
        )
    found = await ledger.check(stack.target, within=180)
    assert found.problems == ()
    assert found.published - before.published == 3 * CHAINS
    # Of the two that ask the same, one is applied and names the other's refusal; the same bytes again are answered
    # with the first outcome, whatever it was.
    assert found.applied - before.applied == CHAINS
    assert found.refused - before.refused == CHAINS
    assert found.duplicates - before.duplicates == CHAINS
    assert len(await referrals(stack)) - known == CHAINS


async def two_workers(stack: Stack) -> list[list[str]]:
    """The public bodies (and the desk) whose topics each of the two workers takes."""
    await start(stack)
    await shared_by(stack, 2)
    public = {one.code for one in stack.target.directory.institutions if one.kind.public} | {topics.DESK}
    found = [sorted(public & {topics.owner(topic) for topic in of_one}) for of_one in (await division(stack)).values()]
    assert [len(some) > 2 for some in found] == [True, True]
    return [sorted(some, key=lambda code: code == topics.DESK) for some in found]


async def declare(stack: Stack, made: Iterable[Declaration], *, desk: bool = False) -> None:
    """Each institution sends its own, all at the same time."""
    by: dict[str, list[Declaration]] = {}
    for one in made:
        by.setdefault(topics.DESK if desk else one.envelope.institution, []).append(one)
    await asyncio.gather(*(_send(stack, topic, some) for topic, some in by.items()))


async def _send(stack: Stack, owner: str, made: Sequence[Declaration]) -> None:
    writer = topics.REFERRALS if owner == topics.DESK else owner
    async with producer(stack, writer) as sending:
        sent = [hostile.sent(one) for one in made]
        pending = [await sending.send(topics.inbound(owner), s.value, s.key, headers=s.headers) for s in sent]
        await asyncio.gather(*pending)


async def applied(stack: Stack, expected: int) -> bool:
    async with reader(stack.target, "referrals") as connection:
        found: int = await connection.fetchval("select count(*) from fact where answer and outcome = 'applied'")
        return found == expected


async def deadlocks(stack: Stack) -> int:
    async with reader(stack.target, "referrals") as connection:
        found: int = await connection.fetchval("select sum(deadlocks)::int from pg_stat_database")
        return found


async def referrals(stack: Stack) -> Mapping[UUID, Referral]:
    async with reader(stack.target, "referrals") as connection:
        return {row["referral"]: rows.restore(row) for row in await connection.fetch("select * from referral")}
