"""What the referral pages say follows from the contract and the life cycle."""

from typing import get_args
from uuid import UUID

import pytest
from pydantic import BaseModel

from contracts import declarations
from contracts.facts import APPLIED, FactData
from contracts.values import State, Verb
from services.referrals import search, timeline
from services.referrals.lifecycle import TRANSITIONS, Party
from services.referrals.turn import OPEN, TURN, possible


def kinds() -> set[str]:
    return {one.model_fields["kind"].default for one in get_args(FactData)}


def test_every_kind_of_fact_has_a_title() -> None:
    assert kinds() | {verb.value for verb in Verb} == timeline._texts()["fact"].keys()


@pytest.mark.parametrize("verb", APPLIED)
def test_every_field_that_is_shown_has_a_name(verb: Verb) -> None:
    details = APPLIED[verb].model_fields["details"].annotation
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
    assert declarations.Requested.model_fields.keys() >= timeline.ABOUT_THE_PERSON


def test_every_state_says_whose_turn_it_is() -> None:
    assert TURN.keys() == set(State)


@pytest.mark.parametrize("state", OPEN)
def test_whose_turn_it_is_can_do_something(state: State) -> None:
    party = TURN[state]
    if any(from_state is state for from_state, _ in TRANSITIONS):
        assert party is not None
        assert possible(state).get(party)


def test_what_is_possible_is_the_table() -> None:
    for state in State:
        found = {(verb, party) for party, verbs in possible(state).items() for verb in verbs}
        assert found == {(verb, t.by) for (from_state, verb), t in TRANSITIONS.items() if from_state is state}
    assert set(Party) >= {party for state in State for party in possible(state)}


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
