"""The life cycle, looped over every state, verb and party."""

import re
from dataclasses import replace
from itertools import product
from pathlib import Path
from uuid import uuid4

import pytest

import services.referrals
from contracts.codec import Declaration
from contracts.facts import APPLIED
from contracts.values import AuthType, Refusal, Service, State, Urgency, Verb
from services.referrals import policy
from services.referrals.lifecycle import DECLARED_BY, SUPPORTED, TRANSITIONS, Party, Referral, Transition, decide
from tests.support import builders as make

REFERRAL = Referral(
    id=uuid4(), version=3, state=State.REQUESTED, sender=make.SENDER, recipient=make.RECIPIENT, need=uuid4(),
    person=uuid4(), service=Service.CHILD_LABOUR, urgency=Urgency.U1, opened_at=make.NOW, changed_at=make.NOW,
)  # fmt: skip


def declared(verb: Verb, by: str, referral: Referral = REFERRAL) -> Declaration:
    if verb not in SUPPORTED:
        made = make.declaration(Verb.RECEIVED, referral.id, referral.need, by=by)
        return replace(made, envelope=replace(made.envelope, verb=verb), details=None)
    return make.declaration(verb, referral.id, referral.need, by=by)


@pytest.mark.parametrize(("state", "verb"), list(product(State, Verb)))
def test_every_state_and_verb_has_one_answer_per_party(state: State, verb: Verb) -> None:
    referral = replace(REFERRAL, state=state)
    answers = {
        party: decide(referral, declared(verb, by, referral))
        for party, by in ((Party.SENDER, make.SENDER), (Party.RECIPIENT, make.RECIPIENT), (None, make.OTHER))
    }
    if verb not in SUPPORTED:
        assert set(answers.values()) == {Refusal.UNSUPPORTED_VERB}
    elif verb is Verb.REQUESTED:
        assert answers[Party.SENDER] == answers[Party.RECIPIENT] == Refusal.REFERRAL_EXISTS
        assert answers[None] is Refusal.UNKNOWN_REFERRAL
    else:
        by = DECLARED_BY[verb]
        other = Party.SENDER if by is Party.RECIPIENT else Party.RECIPIENT
        wrong_party = Refusal.NOT_THE_SENDER if by is Party.SENDER else Refusal.NOT_THE_RECIPIENT
        assert answers[None] is Refusal.UNKNOWN_REFERRAL
        assert answers[other] is wrong_party
        assert answers[by] == TRANSITIONS.get((state, verb), Refusal.WRONG_STATE)


def test_a_request_opens_and_every_other_verb_needs_a_referral() -> None:
    for verb in SUPPORTED:
        answer = decide(None, declared(verb, make.SENDER))
        opens = Transition(Party.SENDER, State.REQUESTED)
        assert answer == (opens if verb is Verb.REQUESTED else Refusal.UNKNOWN_REFERRAL)


def test_another_need_is_refused_before_anything_else_is_told() -> None:
    made = make.declaration(Verb.RECEIVED, REFERRAL.id, uuid4(), by=make.RECIPIENT)
    assert decide(REFERRAL, made) is Refusal.NEED_MISMATCH


def test_every_supported_verb_has_a_fact_of_its_own() -> None:
    assert set(APPLIED) == SUPPORTED


def test_the_database_knows_exactly_the_states_of_the_contract() -> None:
    schema = (Path(services.referrals.__file__).parent / "migrations" / "0001_referrals.sql").read_text()
    listed = re.search(r"state in \(([^)]*)\)", schema)
    assert listed is not None
    assert re.findall(r"'(\w+)'", listed.group(1)) == [state.value for state in State]


def test_a_receipt_is_a_persons_act() -> None:
    by_system = make.declaration(
        Verb.RECEIVED, REFERRAL.id, REFERRAL.need, by=make.RECIPIENT, auth_type=AuthType.SYSTEM
    )
    assert policy.check(by_system, make.MEMBERS) is Refusal.PERSON_REQUIRED
    by_person = make.declaration(Verb.RECEIVED, REFERRAL.id, REFERRAL.need, by=make.RECIPIENT)
    assert policy.check(by_person, make.MEMBERS) is None


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({}, None),
        ({"recipient": "no-such-body"}, Refusal.UNKNOWN_RECIPIENT),
        ({"recipient": make.SENDER}, Refusal.RECIPIENT_IS_SENDER),
        ({"recipient": make.NGO}, Refusal.AUTHORISATION_REQUIRED),
        ({"recipient": make.NGO, "legal_basis": make.AUTHORISED}, None),
    ],
)
def test_who_may_be_asked_and_on_which_basis(changes: dict[str, object], refusal: Refusal | None) -> None:
    asked = make.declaration(Verb.REQUESTED, uuid4(), uuid4(), by=make.SENDER, details=make.requested(**changes))
    assert policy.check(asked, make.MEMBERS) is refusal
