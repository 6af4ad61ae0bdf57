"""What the referral pages say follows from the contract and the life cycle."""

from typing import get_args
from uuid import UUID

import pytest
from pydantic import BaseModel

from contracts import declarations, legal
from contracts.applied import AppliedFact
from contracts.facts import FactData
from contracts.values import State, Verb
from deploy.lifecycle.cells import standing
from services.referrals import search, timeline
from services.referrals.lifecycle import Condition, Party
from services.referrals.turn import OPEN, TURN, possible, turn


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


def test_what_is_kept_from_pages_exists() -> None:
    fields = declarations.Requested.model_fields.keys() | legal.LegalBasis.model_fields.keys()
    assert fields >= timeline.ABOUT_THE_PERSON


def test_every_state_says_whose_turn_it_is() -> None:
    assert TURN.keys() == set(State)


@pytest.mark.parametrize("state", OPEN)
def test_whose_turn_it_is_can_do_something(state: State) -> None:
    referral = standing(state)
    party = turn(referral)
    assert party is TURN[state]
    assert party is not None
    assert possible(referral)[party]


def test_in_a_conflict_it_is_oversights_turn_and_the_sender_may_only_stop_it() -> None:
    referral = standing(State.RECEIVED, Condition.CONFLICT)
    assert turn(referral) is Party.OVERSIGHT
    assert possible(referral) == {
        Party.SENDER: (Verb.WITHDRAWN, Verb.CONSENT_REVOKED, Verb.VOIDED), Party.RECIPIENT: (Verb.CONSENT_REVOKED,),
    }  # fmt: skip


def test_a_child_without_content_waits_for_its_sender() -> None:
    referral = standing(State.REQUESTED, Condition.CONTENT_AWAITED)
    assert turn(referral) is Party.SENDER
    assert Verb.INFORMATION_PROVIDED in possible(referral)[Party.SENDER]


def test_what_is_possible_is_what_would_be_decided() -> None:
    assert Verb.STOP_CONFIRMED in possible(standing(State.WITHDRAWN, Condition.STOP_DUTY))[Party.RECIPIENT]
    assert Verb.STOP_CONFIRMED not in possible(standing(State.WITHDRAWN)).get(Party.RECIPIENT, ())
    assert Verb.REOPENED not in possible(standing(State.REJECTED))[Party.SENDER]


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
