"""The scenes of the demonstration, decided by the rules alone: each step gets the answer that it shows."""

from datetime import UTC, datetime, timedelta

import pytest

from contracts.declarations import Redirected, Requested
from contracts.directory import SEED, load
from contracts.facts import RefusedFact
from contracts.sdk.declare import VERBS
from contracts.values import Basis, State, Verb
from deploy.demo import duties, stories
from deploy.demo.duties import Duty
from services.referrals import policy
from services.referrals.referral import StopDuty
from tests.referrals.stage import Stage
from tests.support import builders as make

DUTIES = {duty.name: duty for duty in duties.draw(7, make.NOW)}


def played(duty: Duty) -> Stage:
    """The world after all steps of a duty, each answered as it says."""
    stage = Stage(load(SEED).by_code)
    for step in duty.steps:
        answer = stage.say(VERBS[type(step.details)], step.referral, step.by, step.details, need=duty.need)[0]
        got = str(answer.reason) if isinstance(answer, RefusedFact) else answer.kind
        assert got == step.answer, (duty.name, step)
    return stage


@pytest.mark.parametrize("name", DUTIES)
def test_every_step_is_answered_as_the_scene_says(name: str) -> None:
    stage = played(DUTIES[name])
    assert stage.refolded() == stage.referrals


@pytest.mark.parametrize("name", DUTIES)
def test_the_same_seed_plays_the_same_and_another_has_other_ids(name: str) -> None:
    assert DUTIES[name] == {duty.name: duty for duty in duties.draw(7, make.NOW)}[name]
    tomorrow = {duty.name: duty for duty in duties.draw(8, make.NOW + timedelta(days=1))}[name]
    assert {step.referral for step in tomorrow.steps}.isdisjoint(step.referral for step in DUTIES[name].steps)


@pytest.mark.parametrize("hour", range(24))
def test_what_is_asked_at_any_hour_rests_on_an_authorisation_of_that_day(hour: int) -> None:
    """From seven in the evening UTC has the next day already, on which nobody can have authorised anything yet."""
    now, directory = datetime(2026, 11, 24, hour, tzinfo=UTC), load(SEED)
    asked = [story.request for story in stories.draw(directory, 200, 7, now)]
    sharing = [(one.legal_basis, directory.by_code[one.recipient], one) for one in asked]
    first = DUTIES["revocation"].steps[0].details
    assert isinstance(first, Requested)
    for duty in duties.draw(7, now):
        steps = [step.details for step in duty.steps if step.answer == "redirected"]
        sharing += [
            (one.legal_basis, directory.by_code[one.target], first) for one in steps if isinstance(one, Redirected)
        ]
    assert sum(basis.basis is Basis.AUTHORISATION for basis, _, _ in sharing) > 20
    assert [policy.basis(basis, recipient, one, now) for basis, recipient, one in sharing] == [None] * len(sharing)


def test_the_loop_opens_no_third_referral_and_is_decided() -> None:
    stage = played(DUTIES["ping-pong"])
    root, child = stage.referrals.values()
    assert (root.state, child.state) == (State.REDIRECTED, State.ACCEPTED)
    assert child.competence_decided
    assert child.conflict is None
    opened = next(one for one in stage.facts if one.fact.data.kind == "conflict-opened")
    assert {"personeria-giron", "defensoria-santander"} <= set(getattr(opened.fact.data, "told", ()) or ())


def test_all_three_holders_had_a_duty_to_stop_and_confirmed_it() -> None:
    stage = played(DUTIES["revocation"])
    assert [one.stop_duty for one in stage.referrals.values()] == [StopDuty.CONFIRMED] * 3
    assert [one.recipient for one in stage.referrals.values()] == ["oim", "acnur", "gifmm-santander"]
    assert all(one.revoked for one in stage.referrals.values())


def test_the_second_request_names_the_first_and_the_third_is_linked_to_it() -> None:
    stage = played(DUTIES["double referral"])
    first, third = stage.referrals.values()
    refused = next(one.fact.data for one in stage.facts if isinstance(one.fact.data, RefusedFact))
    assert refused.existing == first.id
    assert third.follows == first.id


def test_what_was_voided_stays_with_its_history() -> None:
    stage = played(DUTIES["void"])
    (voided,) = stage.referrals.values()
    assert (voided.state, voided.stop_duty) == (State.VOIDED, StopDuty.CONFIRMED)
    assert [one.fact.data.kind for one in stage.facts][:4] == ["requested", "received", "voided", "stop-duty-opened"]


def test_sealed_parts_are_for_whoever_is_asked() -> None:
    for duty in DUTIES.values():
        for step in duty.steps:
            match step.details:
                case Requested(recipient=recipient):
                    assert step.sealed_for == (recipient, step.referral)
                case Redirected(target=target, child=child):
                    assert step.sealed_for == (target, child)
                case _:
                    assert step.sealed_for is None


def test_the_scenes_use_what_makes_referrals_hard() -> None:
    declared = {VERBS[type(step.details)] for duty in DUTIES.values() for step in duty.steps}
    assert {Verb.REDIRECTED, Verb.CONFLICT_RESOLVED, Verb.CONSENT_REVOKED, Verb.STOP_CONFIRMED, Verb.VOIDED} < declared
    assert {Verb.ACCEPTANCE_REVERTED, Verb.POSITION_STATED} < declared
