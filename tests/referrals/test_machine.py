"""Several institutions at once: whatever they declare, however late, twice or out of order, the engine stays right.

Every institution writes to its own topic; the topics are taken in any order, in batches of any cut. ``Witness`` judges
every fact by the design. More examples: ``./ruta test tests/referrals/test_machine.py --hypothesis-profile=long
--timeout=0``.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from contracts.codec import Declaration, Record
from contracts.declarations import Details
from contracts.values import AuthType, State, Verb
from services.referrals import chain as chains
from services.referrals.lifecycle import Party, Transition, decide
from services.referrals.referral import Referral, StopDuty
from services.referrals.turn import steps, turn
from tests.referrals.design import DISPUTABLE, ENDED
from tests.referrals.saying import details, request
from tests.referrals.stage import Stage
from tests.referrals.witness import Witness
from tests.support import builders as make

# A failure is made small before it is shown, which takes minutes.
pytestmark = pytest.mark.timeout(600)

INSTITUTIONS = st.sampled_from(sorted(make.MEMBERS))
NOT_OURS = frozenset({Verb.REDIRECTED, Verb.REJECTED, Verb.RETURNED, Verb.POSITION_STATED, Verb.CONFLICT_RESOLVED})
AFTERWARDS = frozenset({Verb.CLOSED, Verb.REOPENED, Verb.CONSENT_REVOKED, Verb.STOP_CONFIRMED})
LATENESS = st.sampled_from([timedelta(0), timedelta(0), timedelta(hours=2), timedelta(days=6)])


class Mesa(RuleBasedStateMachine):
    """The institutions, their topics, and what was taken of them so far."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = Stage()
        self.witness = Witness()
        self.waiting: dict[str, list[Record]] = {}
        self.ends: dict[str, int] = {}
        self.sent: list[Declaration] = []
        self.taken: list[Record] = []
        self.ids = 0

    # What institutions do

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        """Something to act on."""
        for _ in range(data.draw(st.integers(1, 3))):
            self._say(data, data.draw(INSTITUTIONS), Verb.REQUESTED, self._id(), data.draw(request()))
        self._take(self._waiting())

    @rule(data=st.data(), by=INSTITUTIONS)
    def ask(self, data: st.DataObject, by: str) -> None:
        """A referral of one of few people, so that needs and persons come again."""
        former = st.none() | st.sampled_from(sorted(self.stage.referrals)) if self.stage.referrals else st.none()
        asked = data.draw(request(former))
        self._say(data, by, Verb.REQUESTED, self._id(), asked)

    @rule(data=st.data())
    def act(self, data: st.DataObject) -> None:
        """Somebody does what it may, as it knows the referral: by the time it is taken, it may have changed."""
        self._act(data, frozenset(Verb))

    @rule(data=st.data(), count=st.integers(1, 5))
    def work(self, data: st.DataObject, count: int) -> None:
        """Several steps, each answered before the next."""
        for _ in range(count):
            self._act(data, frozenset(Verb))
            self._take(self._waiting())

    @rule(data=st.data(), count=st.integers(1, 4))
    def pass_on(self, data: st.DataObject, count: int) -> None:
        """Nobody wants it: it is sent on and on, and perhaps refused in the end."""
        disputed = [one for one in self.stage.referrals.values() if one.state in DISPUTABLE and one.conflict is None]
        if not disputed:
            return
        one = data.draw(st.sampled_from(disputed))
        for _ in range(count):
            target = data.draw(st.sampled_from([*one.path, one.sender, *sorted(make.MEMBERS)]))
            onward = make.redirected(target, child=self._id(), legal_basis=make.AUTHORISED)
            self._say(data, one.recipient, Verb.REDIRECTED, one.id, onward)
            self._take(self._waiting())
            one = self.stage.referrals.get(onward.child, one)
        self._act(data, NOT_OURS)
        self._take(self._waiting())

    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        """Oversight decides who is competent."""
        self._act(data, frozenset({Verb.CONFLICT_RESOLVED}))
        self._take(self._waiting())

    @rule(data=st.data(), count=st.integers(1, 3))
    def serve(self, data: st.DataObject, count: int) -> None:
        """Somebody does the work, and perhaps it is closed, reopened or must no longer be used."""
        undecided = [one for one in self.stage.referrals.values() if one.state in DISPUTABLE and one.conflict is None]
        if undecided:
            one = data.draw(st.sampled_from(undecided))
            for verb in (Verb.ACCEPTED, Verb.STARTED, Verb.COMPLETED):
                self._say(data, one.recipient, verb, one.id, make.default_details(verb))
            for _ in range(count):
                self._take(self._waiting())
                self._act(data, AFTERWARDS)

    def _act(self, data: st.DataObject, verbs: frozenset[Verb]) -> None:
        able = [
            (by, verb, one)
            for one in self.stage.referrals.values()
            for by in sorted(make.MEMBERS)
            for verb in self._able(by, one)
            if verb in verbs
        ]
        if able:
            # Verbs first: else those that few may declare would hardly come up.
            verb = data.draw(st.sampled_from(sorted({verb for _, verb, _ in able})))
            by, _, one = data.draw(st.sampled_from([some for some in able if some[1] is verb]))
            self._say(data, by, verb, one.id, data.draw(details(verb, self._id(), one)))

    @rule(data=st.data(), by=INSTITUTIONS, verb=st.sampled_from([v for v in Verb if v is not Verb.REQUESTED]))
    def stray(self, data: st.DataObject, by: str, verb: Verb) -> None:
        """Anybody declares anything, of a referral or of none."""
        known = [one.envelope.referral for one in self.sent]
        referral = data.draw(st.sampled_from([*known, UUID(int=0)]))
        self._say(data, by, verb, referral, data.draw(details(verb, self._id(), self.stage.referrals.get(referral))))

    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """The same bytes once more, or others with the same id."""
        made = data.draw(st.sampled_from(self.sent))
        if data.draw(st.booleans()):
            later = replace(made.envelope, time=made.envelope.time - timedelta(minutes=1))
            made = replace(made, envelope=later)
        self._send(made)

    @rule(data=st.data(), by=INSTITUTIONS)
    def forge(self, data: st.DataObject, by: str) -> None:
        """Another institution's declaration on the own topic, or something unreadable."""
        made = data.draw(st.sampled_from(self.sent))
        self._queue(by, replace(make.record(made, topic_of=by), value=data.draw(st.sampled_from([None, b"{", b"{}"]))))

    # What the engine does

    @precondition(lambda self: any(self.waiting.values()))
    @rule(data=st.data())
    def take(self, data: st.DataObject) -> None:
        """Some of what waits, the topics in any order, cut anyhow."""
        count = data.draw(st.integers(1, len(self._waiting())))
        records = []
        left = {by: list(some) for by, some in self.waiting.items() if some}
        for _ in range(count):
            by = data.draw(st.sampled_from(sorted(left)))
            records.append(left[by].pop(0))
            if not left[by]:
                del left[by]
        self._take(records, data.draw(st.integers(0, len(records))))

    def _take(self, records: Sequence[Record], cut: int = 0) -> None:
        before = replace(
            self.stage, referrals=dict(self.stage.referrals), claims=dict(self.stage.claims), facts=[], sealed=[]
        )
        folded = self.stage.batch(records)
        self.taken += records
        for part in (records[:cut], records[cut:]):
            if part:
                before.batch(part)
        assert [(one.value, one.parties, one.fact.id) for one in before.facts] == [
            (one.value, one.parties, one.fact.id) for one in folded.facts
        ], "the cut of a batch shows"
        assert before.referrals == self.stage.referrals
        assert before.sealed == folded.sealed
        for record in records:
            decided = [one for one in folded.facts if one.entry.located.record is record]
            assert decided, "a record without an outcome"
            ids = {one.fact.id for one in decided}
            self.witness.step(decided, [part for part in folded.sealed if part.fact_id in ids])
            event(f"{decided[0].fact.outcome} {decided[0].fact.data.kind}")
            self.waiting[_by(record)].remove(record)

    # What must hold

    @invariant()
    def the_state_is_the_fold_of_the_facts(self) -> None:
        """Read back from the published bytes."""
        assert self.stage.refolded() == self.stage.referrals

    @invariant()
    def every_state_is_one_that_can_be(self) -> None:
        """Holds, conflicts, stop duties and chains fit the state."""
        for one in self.stage.referrals.values():
            past = self.witness.past.of[one.id]
            assert (one.version, one.state) == (len(past), past[-1].state)
            assert (one.held_from is not None) == (one.state in (State.AWAITING_INFORMATION, State.WAITLISTED))
            assert one.conflict is None or one.state in DISPUTABLE
            opened = self.witness.past.conflict(one.id)
            assert (one.conflict.opened if one.conflict else None) == opened
            if one.stop_duty is StopDuty.OPEN:
                assert one.recipient in self.witness.past.holders(one.id)
                assert isinstance(decide(one, Verb.STOP_CONFIRMED, self._parts(one.recipient, one)), Transition)
            children = [child for child in self.stage.referrals.values() if child.parent == one.id]
            parted = any(fact.state is State.REDIRECTED for fact in past)
            assert len(children) == parted, "half of a redirection"
            assert not parted or one.state in (State.REDIRECTED, State.VOIDED), "a parent is final"

    @invariant()
    def whoever_has_the_turn_can_move(self) -> None:
        """No open referral is stuck, and of one that has ended nothing is left to do but to stop using its data."""
        for one in self.stage.referrals.values():
            party = turn(one)
            assert (party is None) == (one.state in ENDED and one.stop_duty is not StopDuty.OPEN)
            if party is not None and one.conflict is None:
                chain = [other for other in self.stage.referrals.values() if other.root == one.root]
                whose = one.sender if party is Party.SENDER else one.recipient
                assert any(step.due for step in steps(one, chain) if step.institution == whose), f"{one.state} is stuck"

    def teardown(self) -> None:
        """Everything again, in one batch: replayed from the beginning it comes to the same."""
        if self.taken:
            again = Stage()
            again.batch(self.taken)
            assert [one.value for one in again.facts] == [one.value for one in self.stage.facts]
            assert again.referrals == self.stage.referrals

    # Help

    def _say(self, data: st.DataObject, by: str, verb: Verb, referral: UUID, said: Details) -> None:
        known = self.stage.referrals.get(referral)
        need = known.need if known else UUID(int=data.draw(st.integers(1, 3)))
        if known and data.draw(st.integers(0, 19)) == 0:
            need = UUID(int=0)
        made = make.declaration(
            verb,
            referral,
            need,
            by=by,
            id=self._id(),
            details=said,
            auth_type=data.draw(st.sampled_from([AuthType.USER, AuthType.USER, AuthType.SYSTEM])),
            seal_it=data.draw(st.booleans()) or None,
            time=make.NOW - data.draw(LATENESS),
        )
        self.sent.append(made)
        self._send(made)

    def _send(self, made: Declaration) -> None:
        self._queue(made.envelope.institution, make.record(made))

    def _queue(self, by: str, record: Record) -> None:
        offset = self.ends[by] = self.ends.get(by, -1) + 1
        at = record.timestamp + 1000 * (len(self.taken) + len(self._waiting()))
        self.waiting.setdefault(by, []).append(replace(record, offset=offset, timestamp=at))

    def _waiting(self) -> list[Record]:
        return [record for by in sorted(self.waiting) for record in self.waiting[by]]

    def _id(self) -> UUID:
        self.ids += 1
        return UUID(int=1 << 64 | self.ids)

    def _parts(self, by: str, one: Referral) -> frozenset[Party]:
        chain = [some for some in self.stage.referrals.values() if some.root == one.root]
        return chains.parts(by, one, chain, make.MEMBERS)

    def _able(self, by: str, one: Referral) -> list[Verb]:
        parts = self._parts(by, one)
        return [verb for verb in Verb if isinstance(decide(one, verb, parts), Transition)] if parts else []


def _by(record: Record) -> str:
    return record.topic.split(".")[2]


TestMesa = Mesa.TestCase
TestMesa.settings = settings(stateful_step_count=40, max_examples=2 * settings().max_examples)
