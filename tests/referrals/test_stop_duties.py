"""Revocations, withdrawals and voidings: everybody who had the data is told to stop."""

import pytest

from contracts.applied import StopDutyOpenedFact
from contracts.declarations import Escalated
from contracts.values import EscalationRule, State, Verb
from services.referrals.lifecycle import Party
from services.referrals.referral import StopDuty
from services.referrals.turn import Step, steps, turn
from tests.referrals.acting import NGO, O, S, T, W, redirect, resolved, through_three_holders
from tests.referrals.stage import Stage
from tests.support import builders as make


@pytest.mark.parametrize("by", [S, NGO, O, T])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_revocation_reaches_every_holder_whoever_declares_it_and_wherever(by: str, place: int) -> None:
    stage = Stage()
    chain = through_three_holders(stage)
    facts = stage.say(Verb.CONSENT_REVOKED, chain[place], by)
    assert facts[0].kind == "consent-revoked"
    duties = [fact for fact in facts if isinstance(fact, StopDutyOpenedFact)]
    assert [fact.details.holder for fact in duties] == [NGO, O, T]
    assert all(stage.referrals[one].stop_duty is StopDuty.OPEN for one in chain)
    assert stage.referrals[chain[0]].revoked
    # What rests on a public function goes on: nobody can take that back.
    assert stage.referrals[chain[2]].state is State.REQUESTED
    assert stage.refolded() == stage.referrals
    assert stage.refuses(Verb.CONSENT_REVOKED, chain[2], S) == "already-revoked"


@pytest.mark.parametrize(
    ("verbs", "state"),
    [
        ((), State.WITHDRAWN),
        ((Verb.RECEIVED, Verb.ACCEPTED, Verb.STARTED), State.WITHDRAWN),
        ((Verb.REJECTED,), State.REJECTED),
        ((Verb.ACCEPTED, Verb.COMPLETED), State.COMPLETED),
        ((Verb.ACCEPTED, Verb.COMPLETED, Verb.CLOSED), State.CLOSED),
        ((Verb.WITHDRAWN,), State.WITHDRAWN),
    ],
)
def test_a_revocation_withdraws_what_is_active_and_reaches_the_rest(verbs: tuple[Verb, ...], state: State) -> None:
    stage = Stage()
    referral = stage.request(recipient=NGO, legal_basis=make.AUTHORISED)
    stage.path(referral, *verbs)
    stage.say(Verb.CONSENT_REVOKED, referral, S)
    one = stage.referrals[referral]
    assert (one.state, one.stop_duty, one.revoked) == (state, StopDuty.OPEN, True)


def test_a_revocation_needs_an_authorisation() -> None:
    stage = Stage()
    referral = stage.request()
    assert stage.refuses(Verb.CONSENT_REVOKED, referral, S) == "nothing-to-revoke"
    assert stage.refuses(Verb.CONSENT_REVOKED, referral, W) == "not-a-holder"
    voided = stage.request(recipient=NGO, legal_basis=make.AUTHORISED)
    stage.path(voided, Verb.VOIDED)
    assert stage.refuses(Verb.CONSENT_REVOKED, voided, S) == "wrong-state"


def test_what_was_revoked_is_not_reopened() -> None:
    stage = Stage()
    referral = stage.request(recipient=NGO, legal_basis=make.AUTHORISED)
    stage.path(referral, Verb.ACCEPTED, Verb.COMPLETED, Verb.CLOSED)
    stage.say(Verb.CONSENT_REVOKED, referral, S)
    assert stage.refuses(Verb.REOPENED, referral, S) == "authorisation-revoked"


def test_what_must_not_be_used_is_not_reopened_whatever_it_rests_on() -> None:
    """A stop duty alone forbids it, and so does a revocation where nobody but the sender holds anything."""
    stage = Stage()
    first = stage.request(recipient=NGO, legal_basis=make.AUTHORISED)
    second = redirect(stage, first, O)
    stage.path(second, Verb.ACCEPTED, Verb.COMPLETED)
    stage.say(Verb.CONSENT_REVOKED, first, S)
    assert (stage.referrals[second].revoked, stage.referrals[second].stop_duty) == (False, StopDuty.OPEN)
    assert stage.refuses(Verb.REOPENED, second, S) == "authorisation-revoked"
    first = stage.request(recipient=NGO, legal_basis=make.AUTHORISED)
    stage.say(Verb.REDIRECTED, first, NGO, make.redirected(S))
    stage.say(Verb.CONFLICT_RESOLVED, first, W, resolved(S))
    own = next(one.id for one in stage.referrals.values() if one.parent == first)
    stage.path(own, Verb.ACCEPTED, Verb.COMPLETED)
    stage.say(Verb.CONSENT_REVOKED, own, S)
    assert (stage.referrals[own].revoked, stage.referrals[own].stop_duty) == (True, None)
    assert stage.refuses(Verb.REOPENED, own, S) == "authorisation-revoked"


def test_every_holder_confirms_for_itself_and_once() -> None:
    stage = Stage()
    first, second, third = through_three_holders(stage)
    assert stage.refuses(Verb.STOP_CONFIRMED, first, NGO) == "no-stop-duty"
    stage.say(Verb.CONSENT_REVOKED, first, S)
    assert stage.refuses(Verb.STOP_CONFIRMED, first, S) == "not-the-recipient"
    assert stage.refuses(Verb.STOP_CONFIRMED, second, NGO) == "not-the-recipient"
    for referral, holder in ((first, NGO), (second, O), (third, T)):
        (fact,) = stage.say(Verb.STOP_CONFIRMED, referral, holder)
        assert fact.kind == "stop-confirmed"
        assert stage.refuses(Verb.STOP_CONFIRMED, referral, holder) == "no-stop-duty"
    # Whoever has confirmed holds nothing any more, and of the others' referrals it hears nothing.
    assert stage.refuses(Verb.ACCEPTED, third, NGO) == "unknown-referral"


def test_a_withdrawal_reaches_everybody_who_had_it_and_a_voiding_only_its_own_receiver() -> None:
    stage = Stage()
    first, second, third = through_three_holders(stage)
    facts = stage.say(Verb.WITHDRAWN, third, S)
    assert [fact.details.holder for fact in facts if isinstance(fact, StopDutyOpenedFact)] == [NGO, O, T]
    stage = Stage()
    first, second, third = through_three_holders(stage)
    facts = stage.say(Verb.VOIDED, second, S)
    assert [fact.details.holder for fact in facts if isinstance(fact, StopDutyOpenedFact)] == [O]
    # Voiding a parent leaves the child.
    assert [stage.referrals[one].state for one in (first, second, third)] == [
        State.REDIRECTED, State.VOIDED, State.REQUESTED,
    ]  # fmt: skip
    stage.path(third, Verb.RECEIVED, Verb.ACCEPTED)
    assert stage.refuses(Verb.VOIDED, second, S) == "wrong-state"


def test_every_open_stop_duty_has_a_holder_that_saw_it() -> None:
    stage = Stage()
    chain = through_three_holders(stage)
    stage.say(Verb.CONSENT_REVOKED, chain[1], O)
    for referral in chain:
        one = stage.referrals[referral]
        assert "stop-duty-opened" in stage.seen_by(one.recipient, referral)


def test_a_revocation_withdraws_whatever_of_the_chain_rests_on_authorisation_and_is_active() -> None:
    stage = Stage()
    first = stage.request(recipient=O, legal_basis=make.AUTHORISED)
    second = redirect(stage, first, NGO, legal_basis=make.AUTHORISED)
    stage.path(second, Verb.ACCEPTED)
    stage.say(Verb.CONSENT_REVOKED, first, S)
    assert [stage.referrals[one].state for one in (first, second)] == [State.REDIRECTED, State.WITHDRAWN]


def test_reopening_is_told_to_oversight() -> None:
    stage = Stage()
    referral = stage.request()
    stage.path(referral, Verb.ACCEPTED, Verb.COMPLETED, Verb.REOPENED)
    assert getattr(stage.facts[-1].fact.data, "told", ()) == (W,)


def test_a_revoked_authorisation_carries_nothing_further() -> None:
    """What rests on a public function goes on, and even so it is not sent on to an NGO with what was taken back."""
    stage = Stage()
    first = stage.request(recipient=NGO, legal_basis=make.AUTHORISED)
    second = redirect(stage, first, O)
    stage.say(Verb.CONSENT_REVOKED, first, S)
    assert not stage.referrals[second].revoked
    onward = make.redirected(make.RECIPIENT, legal_basis=make.AUTHORISED)
    before = len(stage.sealed)
    assert stage.refuses(Verb.REDIRECTED, second, O, onward) == "authorisation-revoked"
    assert len(stage.sealed) == before
    redirect(stage, second, T)


def test_whoever_confirmed_and_was_given_data_again_is_told_again_to_stop() -> None:
    stage = Stage()
    first, second, third = through_three_holders(stage)
    stage.path(third, Verb.RECEIVED)
    stage.say(Verb.CONSENT_REVOKED, first, S)
    for referral, holder in ((second, O), (third, T)):
        stage.say(Verb.STOP_CONFIRMED, referral, holder)
    # It works on its public function, asks what it lacks, and is given it.
    stage.path(third, Verb.INFORMATION_REQUESTED, Verb.INFORMATION_PROVIDED)
    assert stage.sealed[-1].recipient == T
    facts = stage.say(Verb.WITHDRAWN, third, S)
    # The first holder is under its duty already; the second has confirmed, and has nothing to do with it since.
    assert [fact.details.holder for fact in facts if isinstance(fact, StopDutyOpenedFact)] == [T]
    assert stage.referrals[third].stop_duty is StopDuty.OPEN
    stage.say(Verb.STOP_CONFIRMED, third, T)
    assert stage.refuses(Verb.STOP_CONFIRMED, third, T) == "no-stop-duty"


def test_an_unconfirmed_stop_can_be_escalated_although_the_work_has_ended() -> None:
    stage = Stage()
    referral = stage.request(recipient=NGO, legal_basis=make.AUTHORISED)
    stage.path(referral, Verb.ACCEPTED, Verb.WITHDRAWN)
    assert turn(stage.referrals[referral]) is Party.RECIPIENT
    one = stage.referrals[referral]
    assert steps(one, (one,))[0] == Step(NGO, (Verb.STOP_CONFIRMED,), (Verb.CONSENT_REVOKED,))
    late = Escalated(rule=EscalationRule.STOP_NOT_CONFIRMED)
    assert stage.refuses(Verb.ESCALATED, referral, NGO, late) == "not-oversight"
    (fact,) = stage.say(Verb.ESCALATED, referral, W, late)
    assert (fact.kind, stage.referrals[referral].state) == ("escalated", State.WITHDRAWN)
    stage.say(Verb.STOP_CONFIRMED, referral, NGO)
    assert turn(stage.referrals[referral]) is None
    assert stage.refuses(Verb.ESCALATED, referral, W, late) == "no-stop-duty"


def test_whoever_sent_a_child_on_sees_that_a_revocation_ended_it() -> None:
    for declared_on in ("parent", "child"):
        stage = Stage()
        first = stage.request(recipient=O)
        second = redirect(stage, first, NGO, legal_basis=make.AUTHORISED)
        stage.say(Verb.CONSENT_REVOKED, first if declared_on == "parent" else second, S)
        assert stage.referrals[second].state is State.WITHDRAWN
        assert stage.seen_by(O, second) == ["requested", "consent-revoked"]
        assert "stop-duty-opened" not in stage.seen_by(O, second)
