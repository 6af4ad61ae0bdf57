"""Mistakes of other systems that the rules alone keep out; ``tests/system/test_traps.py`` lists all seventeen."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import combinations
from uuid import uuid4

import pytest

from contracts.applied import Applied
from contracts.declarations import Closed
from contracts.facts import DuplicateFact, QuarantinedFact, RefusedFact
from contracts.reasons import NeedResult
from contracts.values import Problem, Refusal, State, Urgency, Verb
from deploy.lifecycle.cells import standing
from services.notifications.routing import plan
from services.referrals.lifecycle import Party, decide
from tests.referrals.design import designed
from tests.referrals.stage import Stage
from tests.support import builders as make

REACHED: dict[Verb, tuple[Verb, ...]] = {
    Verb.RECEIVED: (),
    Verb.ACCEPTED: (),
    Verb.ACCEPTANCE_REVERTED: (Verb.ACCEPTED,),
    Verb.INFORMATION_REQUESTED: (Verb.RECEIVED,),
    Verb.REJECTED: (),
    Verb.RETURNED: (),
    Verb.REDIRECTED: (),
    Verb.STARTED: (Verb.ACCEPTED,),
    Verb.WAITLISTED: (Verb.ACCEPTED,),
    Verb.RESUMED: (Verb.ACCEPTED, Verb.WAITLISTED),
    Verb.COMPLETED: (Verb.ACCEPTED,),
    Verb.NOT_ACHIEVED: (Verb.ACCEPTED,),
    Verb.STOP_CONFIRMED: (Verb.WITHDRAWN,),
}
"""Every step of the receiver, and what comes before it."""


def test_every_step_of_the_receiver_is_among_these() -> None:
    assert set(REACHED) == {verb for (_, verb), one in designed().items() if one.by == (Party.RECIPIENT,)}


def test_what_may_not_be_is_refused_and_never_told_as_done() -> None:
    """A forbidden step was ignored in silence and yet written into the history as if it had been taken."""
    stage = Stage()
    referral = stage.request()
    before = stage.referrals[referral]
    (fact,) = stage.say(Verb.STARTED, referral, make.RECIPIENT)
    assert isinstance(fact, RefusedFact)
    assert (fact.verb, fact.reason, fact.state) == (Verb.STARTED, Refusal.WRONG_STATE, State.REQUESTED)
    assert stage.referrals[referral] is before
    assert "started" not in stage.seen_by(make.SENDER, referral)


@pytest.mark.parametrize("verb", REACHED)
def test_nobody_answers_for_the_addressee(verb: Verb) -> None:
    """Whoever had the right to accept could accept what was sent to somebody else."""
    stage = Stage()
    referral = stage.request()
    for by in make.MEMBERS.keys() - {make.RECIPIENT}:
        knows = by in (make.SENDER, make.OVERSIGHT)
        assert stage.refuses(verb, referral, by) == ("not-the-recipient" if knows else "unknown-referral")


@pytest.mark.parametrize("verb", [verb for verb in Verb if verb is not Verb.REQUESTED])
def test_a_strangers_id_is_not_found(verb: Verb) -> None:
    """A record was looked up by its id alone, whoever asked; another's need does not open it either."""
    stage = Stage()
    referral, other = stage.request(), stage.request(by=make.OTHER)
    assert stage.refuses(verb, referral, make.ELSEWHERE) == "unknown-referral"
    assert stage.refuses(verb, uuid4(), make.ELSEWHERE) == "unknown-referral"
    assert stage.refuses(verb, referral, make.SENDER, need=stage.referrals[other].need) == "need-mismatch"


def test_every_step_keeps_its_own_times_and_its_person() -> None:
    """When something was done, and by whom, was lost as soon as the next thing was done."""
    stage = Stage()
    referral = stage.request()
    stage.path(referral, Verb.RECEIVED, Verb.ACCEPTED, Verb.WAITLISTED, Verb.STARTED, Verb.COMPLETED, Verb.CLOSED)
    facts = [one.fact.data for one in stage.facts]
    for fact in facts:
        assert isinstance(fact, Applied)
        assert (fact.declared_at, fact.received_at, fact.actor.id) == (make.NOW, make.NOW, "official-1")
    assert [one.state for one in facts if isinstance(one, Applied)] == [
        State.REQUESTED, State.RECEIVED, State.ACCEPTED, State.WAITLISTED, State.IN_PROGRESS, State.COMPLETED,
        State.CLOSED,
    ]  # fmt: skip


@pytest.mark.parametrize("verb", REACHED)
def test_the_sender_is_told_once_of_every_step_of_the_receiver(verb: Verb) -> None:
    """Whoever had sent a referral never heard what became of it."""
    stage = Stage()
    referral = stage.request(urgency=Urgency.U3)
    stage.path(referral, *REACHED[verb])
    before = len(stage.facts)
    stage.path(referral, verb)
    told = [alert for alert in plan(stage.facts[before].fact, make.MEMBERS) if alert.recipient == make.SENDER]
    assert [alert.channel.value for alert in told] == ["inbox", "email"]


def test_the_same_step_again_tells_nobody_again() -> None:
    """Every time a form was saved, its notice was sent again."""
    stage = Stage()
    referral = stage.request()
    made = make.declaration(Verb.ACCEPTED, referral, stage.referrals[referral].need, by=make.RECIPIENT)
    answers = [stage.take(made) for _ in range(5)]
    assert [type(facts[0].fact.data) for facts in answers[1:]] == [DuplicateFact] * 4
    assert len(plan(answers[0][0].fact, make.MEMBERS)) == 2
    assert [plan(facts[0].fact, make.MEMBERS) for facts in answers[1:]] == [()] * 4


@pytest.mark.parametrize(
    ("verb", "field"),
    [(Verb.REQUESTED, "service"), (Verb.REQUESTED, "urgency"), (Verb.REJECTED, "reason"), (Verb.COMPLETED, "outcome"),
     (Verb.NOT_ACHIEVED, "reason"), (Verb.CLOSED, "result")],
)  # fmt: skip
def test_a_code_that_nobody_knows_is_quarantined_and_its_sender_told(verb: Verb, field: str) -> None:
    """A code from a newer catalogue was silently read as the first one of the list."""
    made = make.record(make.declaration(verb, uuid4(), uuid4(), by=make.SENDER))
    body = json.loads(made.value or b"")
    body["details"][field] = "not-in-any-catalogue"
    (decided,) = Stage().batch([replace(made, value=json.dumps(body).encode())]).facts
    assert isinstance(decided.fact.data, QuarantinedFact)
    assert (decided.fact.data.problem, decided.fact.data.detail) == (Problem.FIELD_INVALID, f"details.{field}: enum")
    assert decided.parties == (make.SENDER,)
    assert [alert.recipient for alert in plan(decided.fact, make.MEMBERS)] == [make.SENDER]


def test_what_today_is_is_asked_of_every_record() -> None:
    """ "Today" was worked out when the program started, and was wrong from the second day on."""
    stage = Stage()
    until_the_24th = make.AUTHORISED.model_copy(update={"expires_on": date(2026, 11, 24)})
    asked = [
        make.record(make.declaration(Verb.REQUESTED, uuid4(), uuid4(), by=make.SENDER, details=make.requested(
            recipient=make.NGO, legal_basis=until_the_24th)), offset=offset)
        for offset in range(2)
    ]  # fmt: skip
    midnight = int(datetime(2026, 11, 25, 5, tzinfo=UTC).timestamp() * 1000)
    outcomes = [
        stage.batch([replace(record, timestamp=at)]).facts[0].fact.data
        for record, at in zip(asked, (midnight - 1, midnight), strict=True)
    ]
    assert [getattr(one, "reason", one.kind) for one in outcomes] == ["requested", Refusal.AUTHORISATION_EXPIRED]


def test_no_state_is_set_from_anywhere() -> None:
    """Any state could be set from any other: here, what the design does not name is refused, whoever asks."""
    for state in State:
        for verb in Verb:
            if (state, verb) in designed() or verb in (Verb.REQUESTED, Verb.POSITION_STATED):
                continue
            for parts in [frozenset(some) for n in (1, 2, len(Party)) for some in combinations(Party, n)]:
                assert isinstance(decide(standing(state), verb, parts), Refusal), (state, verb, parts)


def test_nothing_is_concluded_without_saying_what_came_of_it() -> None:
    """A case could be shut with no word on the outcome."""
    stage = Stage()
    referral = stage.request()
    stage.path(referral, Verb.ACCEPTED)
    need = stage.referrals[referral].need
    for verb, field in ((Verb.COMPLETED, "outcome"), (Verb.NOT_ACHIEVED, "reason")):
        made = make.record(make.declaration(verb, referral, need, by=make.RECIPIENT), offset=99)
        body = json.loads(made.value or b"")
        del body["details"][field]
        (decided,) = stage.batch([replace(made, value=json.dumps(body).encode())]).facts
        assert isinstance(decided.fact.data, QuarantinedFact)
        assert decided.fact.data.detail == f"details.{field}: missing"
    assert stage.refuses(Verb.CLOSED, referral, make.SENDER) == "wrong-state"
    stage.path(referral, Verb.COMPLETED)
    assert (
        stage.refuses(Verb.CLOSED, referral, make.SENDER, Closed(result=NeedResult.NOT_REPORTED)) == "result-required"
    )


@pytest.mark.parametrize("answer", [(Verb.REJECTED,), (Verb.RETURNED,), (Verb.ACCEPTED, Verb.COMPLETED)])
def test_whoever_has_answered_is_not_reminded(answer: tuple[Verb, ...]) -> None:
    """Reminders went on to those who had already said no: here they go to whoever still has to act."""
    stage = Stage()
    referral = stage.request()
    stage.say(Verb.ESCALATED, referral, make.OVERSIGHT)
    assert {alert.recipient for alert in plan(stage.facts[-1].fact, make.MEMBERS)} == {make.SENDER, make.RECIPIENT}
    stage.path(referral, *answer)
    stage.say(Verb.ESCALATED, referral, make.OVERSIGHT)
    assert {alert.recipient for alert in plan(stage.facts[-1].fact, make.MEMBERS)} == {make.SENDER}
