"""What the referral pages say follows from the contract and the life cycle."""

from dataclasses import replace
from typing import get_args
from uuid import UUID

import pytest
from pydantic import BaseModel

from contracts import declarations, legal
from contracts.applied import AppliedFact
from contracts.competence import PositionStated
from contracts.facts import FactData
from contracts.reasons import RefusalReason
from contracts.values import State, Urgency, Verb
from deploy.lifecycle.cells import standing
from services.referrals import search, timeline
from services.referrals.lifecycle import Condition, Party
from services.referrals.referral import Referral, StopDuty
from services.referrals.turn import DUE, OPEN, TURN, Step, steps, turn
from tests.referrals.acting import redirect
from tests.referrals.stage import Stage
from tests.support import builders as make


def kinds() -> set[str]:
    return {one.model_fields["kind"].default for one in get_args(FactData)}


def test_every_kind_of_fact_has_a_title() -> None:
    assert kinds() | {verb.value for verb in Verb} == timeline._texts()["fact"].keys()


@pytest.mark.parametrize("fact", get_args(AppliedFact), ids=lambda fact: fact.__name__)
def test_every_field_that_is_shown_has_a_name(fact: type[BaseModel]) -> None:
    details = fact.model_fields["details"].annotation
    assert isinstance(details, type)
    assert set(_shown(details)) <= timeline._texts()["field"].keys()


def _shown(model: type[BaseModel]) -> list[str]:
    names = []
    for name, field in model.model_fields.items():
        if name in timeline.ABOUT_THE_PERSON:
            continue
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            names += _shown(field.annotation)
        else:
            names.append(name)
    return names


def test_codes_are_told_in_words_and_other_referrals_by_their_id() -> None:
    stage = Stage()
    basis = make.AUTHORISED.model_copy(update={"languages": ("es", "guc", "xx")})
    first = stage.request(recipient=make.NGO, legal_basis=basis, urgency=Urgency.U0)
    said = _said(stage)
    assert said["Idiomas"] == ("español", "wayuunaiki", "xx")
    assert said["Urgencia"] == ("U0 · Vital o inminente",)
    stage.say(Verb.VOIDED, first, make.SENDER)
    root = stage.request()
    child = redirect(stage, root, make.OTHER)
    stage.say(Verb.REJECTED, child, make.OTHER, declarations.Rejected(reason=RefusalReason.NOT_COMPETENT))
    assert _said(stage)["Instituciones que lo discuten"] == (make.RECIPIENT, make.OTHER)
    redirected = next(one.fact.data for one in stage.facts if one.fact.data.kind == "redirected")
    assert dict(timeline.entry(root, redirected).said)["Remisión nueva"] == (child,)


def _said(stage: Stage) -> dict[str, tuple[str | UUID, ...]]:
    return dict(timeline.entry(UUID(int=0), stage.last).said)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("Ley-1437-2011-art-21", "Ley 1437 de 2011, artículo 21"),
        ("Ley-1098-2006", "Ley-1098-2006"),
        ("CONPES-4100", "CONPES-4100"),
    ],
)
def test_a_law_is_told_as_people_write_it(code: str, text: str) -> None:
    assert timeline.norm(code) == text


def test_what_is_kept_from_pages_exists() -> None:
    fields = declarations.Requested.model_fields.keys() | legal.LegalBasis.model_fields.keys()
    assert fields >= timeline.ABOUT_THE_PERSON


def test_every_state_says_what_is_due() -> None:
    assert DUE.keys() == TURN.keys() == set(State)


@pytest.mark.parametrize("state", OPEN)
def test_what_is_due_is_what_whose_turn_it_is_can_do(state: State) -> None:
    referral = standing(state)
    assert turn(referral) is TURN[state]
    first, *others = steps(referral, ())
    assert (first.institution, first.due) == (TURN[state], DUE[state])
    assert not [step for step in others if step.due]


def test_in_a_conflict_it_is_oversights_turn_and_its_parties_have_to_state_their_position() -> None:
    referral = standing(State.RECEIVED, Condition.CONFLICT)
    assert turn(referral) is Party.OVERSIGHT
    silent, sender = steps(referral, ())
    assert silent == Step("recipient", (Verb.POSITION_STATED,), ())
    assert sender == Step("sender", (), (Verb.WITHDRAWN, Verb.VOIDED))
    assert referral.conflict is not None
    said = {"recipient": PositionStated(competent=False, norm="Ley-1098-2006-art-99")}
    stated = replace(referral, conflict=referral.conflict.model_copy(update={"positions": said}))
    assert Step("recipient", (), (Verb.POSITION_STATED,)) in steps(stated, ())


def test_a_child_without_content_waits_for_its_sender() -> None:
    referral = standing(State.REQUESTED, Condition.CONTENT_AWAITED)
    assert turn(referral) is Party.SENDER
    assert steps(referral, ())[0] == Step("sender", (Verb.INFORMATION_PROVIDED,), (Verb.WITHDRAWN, Verb.VOIDED))


def test_whoever_must_stop_has_nothing_else_to_do() -> None:
    assert Step("recipient", (Verb.STOP_CONFIRMED,), ()) in steps(standing(State.WITHDRAWN, Condition.STOP_DUTY), ())
    assert [step.institution for step in steps(standing(State.WITHDRAWN), ())] == ["sender"]


def test_what_would_be_refused_is_not_offered() -> None:
    assert _offered(standing(State.REJECTED)) == {Verb.VOIDED}
    assert Verb.REOPENED in _offered(standing(State.COMPLETED))
    assert Verb.REOPENED not in _offered(replace(standing(State.COMPLETED), stop_duty=StopDuty.CONFIRMED))
    assert Verb.REDIRECTED not in steps(replace(standing(State.RECEIVED), competence_decided=True), ())[0].due


def test_only_an_authorisation_that_stands_can_be_revoked() -> None:
    stage = Stage()
    public = stage.referrals[stage.request()]
    assert Verb.CONSENT_REVOKED not in _offered(public, public)
    referral = stage.request(recipient=make.NGO, legal_basis=make.AUTHORISED)
    resting = stage.referrals[referral]
    assert Verb.CONSENT_REVOKED in _offered(resting, resting)
    stage.say(Verb.CONSENT_REVOKED, referral, make.SENDER)
    revoked = stage.referrals[referral]
    assert Verb.CONSENT_REVOKED not in _offered(revoked, revoked)


def _offered(referral: Referral, *chain: Referral) -> set[Verb]:
    return {verb for step in steps(referral, chain) for verb in step.may}


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("0198C0DE", "0198c0de-0000-0000-0000-000000000000", "0198c0de-ffff-ffff-ffff-ffffffffffff"),
        (" 0198c0de-00", "0198c0de-0000-0000-0000-000000000000", "0198c0de-00ff-ffff-ffff-ffffffffffff"),
        (str(UUID(int=7)), str(UUID(int=7)), str(UUID(int=7))),
    ],
)
def test_a_reference_is_the_ids_that_begin_with_it(text: str, first: str, last: str) -> None:
    assert search.reference(text) == (UUID(first), UUID(last))


@pytest.mark.parametrize("text", ["", "abc", "wxyz", "0198c0de 0", "a" * 33, "0198c0de\x00", "٠١٢٣"])
def test_what_begins_no_id_is_no_reference(text: str) -> None:
    assert search.reference(text) is None
