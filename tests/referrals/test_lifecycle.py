"""The life cycle, looped over every state, verb and part."""

import re
from dataclasses import replace
from itertools import combinations, product
from pathlib import Path
from uuid import uuid4

import pytest

import services.referrals
from contracts.applied import APPLIED
from contracts.declarations import BODIES
from contracts.values import Refusal, State, Verb
from deploy.lifecycle.cells import standing
from services.referrals import lifecycle
from services.referrals.lifecycle import (
    DECLARED_BY,
    DURING_CONFLICT,
    NOT_THE,
    TRANSITIONS,
    Condition,
    Lead,
    Party,
    Transition,
    decide,
)
from services.referrals.referral import ACTIVE, ENDED, StopDuty
from tests.referrals.design import designed
from tests.referrals.stage import Stage
from tests.support import builders as make

HOLDS = (State.AWAITING_INFORMATION, State.WAITLISTED)


def test_the_table_is_the_designs() -> None:
    assert designed() == TRANSITIONS
    # And so are the rows that it is made of: whoever changes them to try the tests does it after the import.
    assert {(state, verb): one for verb, states, one in lifecycle._rows() for state in states} == designed()


def test_active_and_ended_are_the_designs() -> None:
    assert [s for s in State if s in ACTIVE] == list(State)[: list(State).index(State.WAITLISTED) + 1]
    assert {State.CLOSED, State.REDIRECTED, State.WITHDRAWN, State.VOIDED} == ENDED
    assert not ACTIVE & ENDED


PARTS = [frozenset(some) for n in (1, 2) for some in combinations(Party, n)]


@pytest.mark.parametrize(("state", "verb"), list(product(State, Verb)))
def test_every_state_verb_and_part_has_one_answer(state: State, verb: Verb) -> None:
    transition = TRANSITIONS.get((state, verb))
    condition = transition.when if transition else Condition.CONFLICT if verb is Verb.POSITION_STATED else None
    referral = standing(state, condition)
    assert decide(referral, verb, frozenset()) is Refusal.UNKNOWN_REFERRAL
    for parts in PARTS:
        answer = decide(referral, verb, parts)
        if verb is Verb.REQUESTED:
            assert answer is Refusal.REFERRAL_EXISTS
        elif parts.isdisjoint(DECLARED_BY[verb]):
            assert answer is NOT_THE[DECLARED_BY[verb][0]]
        elif transition is None:
            assert answer is Refusal.WRONG_STATE
        elif parts.isdisjoint(transition.by):
            assert answer is NOT_THE[transition.by[0]]
        else:
            assert answer == transition


@pytest.mark.parametrize(("key", "transition"), [(k, t) for k, t in TRANSITIONS.items() if t.when])
def test_a_condition_that_is_not_met_is_told(key: tuple[State, Verb], transition: Transition) -> None:
    told = {
        Condition.BEFORE_ACCEPTANCE: Refusal.WRONG_STATE,
        Condition.CONTENT_AWAITED: Refusal.WRONG_STATE,
        Condition.STOP_DUTY: Refusal.NO_STOP_DUTY,
        Condition.CONFLICT: Refusal.NO_CONFLICT,
    }
    assert transition.when is not None
    state, verb = key
    referral = standing(state)
    if transition.when is Condition.BEFORE_ACCEPTANCE:
        referral = replace(referral, held_from=State.ACCEPTED)
    assert decide(referral, verb, frozenset(transition.by)) is told[transition.when]
    if transition.when is Condition.STOP_DUTY:
        confirmed = replace(referral, stop_duty=StopDuty.CONFIRMED)
        assert decide(confirmed, verb, frozenset(transition.by)) is Refusal.NO_STOP_DUTY


@pytest.mark.parametrize(("state", "verb"), [key for key in TRANSITIONS if key[0] is not None])
def test_while_a_conflict_is_open_only_what_settles_or_stops_it_applies(state: State, verb: Verb) -> None:
    transition = TRANSITIONS[state, verb]
    if state not in (State.REQUESTED, State.RECEIVED, State.AWAITING_INFORMATION):
        return
    referral = replace(standing(state, transition.when), conflict=standing(state, Condition.CONFLICT).conflict)
    answer = decide(referral, verb, frozenset(transition.by))
    assert answer == (transition if verb in DURING_CONFLICT else Refusal.CONFLICT_OPEN)


def test_a_conflict_is_settled_or_stopped_by_exactly_these() -> None:
    assert {v.value for v in DURING_CONFLICT} == {
        "position-stated", "conflict-resolved", "withdrawn", "consent-revoked", "stop-confirmed", "voided", "escalated",
    }  # fmt: skip


def test_a_request_opens_and_every_other_verb_needs_a_referral() -> None:
    for verb in Verb:
        answer = decide(None, verb, frozenset(Party))
        opens = Transition((Party.SENDER,), State.REQUESTED)
        assert answer == (opens if verb is Verb.REQUESTED else Refusal.UNKNOWN_REFERRAL)


def test_every_verb_is_in_the_table_and_has_a_model_and_a_fact() -> None:
    assert {verb for _, verb in TRANSITIONS} == set(Verb) == set(APPLIED) == set(BODIES) == set(DECLARED_BY)


def test_no_state_expires_and_every_open_one_can_be_left() -> None:
    for state in State:
        leaves = {t.to for (from_state, _), t in TRANSITIONS.items() if from_state is state} - {state, Lead.UNCHANGED}
        assert leaves - {State.VOIDED} or state in ENDED
    assert not any("expir" in state.value for state in State)


def test_work_ends_only_where_the_design_says() -> None:
    """An end is left by reopening what was closed, and by nothing else."""
    left = {(s, v) for (s, v), t in TRANSITIONS.items() if s in ENDED and t.to not in (Lead.UNCHANGED, State.VOIDED)}
    assert left == {(State.CLOSED, Verb.REOPENED)}


@pytest.mark.parametrize("state", [State.WAITLISTED, State.AWAITING_INFORMATION])
def test_back_is_where_it_came_from(state: State) -> None:
    transition = TRANSITIONS[state, Verb.RESUMED]
    for before in (State.RECEIVED, State.ACCEPTED, State.IN_PROGRESS):
        assert transition.destination(replace(standing(state), held_from=before)) is before
    with pytest.raises(ValueError, match=r"^there is no state to go back to$"):
        transition.destination(replace(standing(state), held_from=None))


@pytest.mark.parametrize("state", HOLDS)
def test_what_changes_nothing_leaves_a_hold(state: State) -> None:
    assert TRANSITIONS[state, Verb.ESCALATED].destination(standing(state)) is state


def test_the_database_knows_exactly_the_states_of_the_contract() -> None:
    schema = (Path(services.referrals.__file__).parent / "migrations" / "0001_referrals.sql").read_text()
    listed = re.search(r"state text check \(state in \(([^)]*)\)".replace(" ", r"\s+"), schema)
    assert listed is not None
    assert re.findall(r"'(\w+)'", listed.group(1)) == [state.value for state in State]
    held = re.search(r"held_from in \(([^)]*)\)", schema)
    assert held is not None
    came_from = {s for (s, _), t in TRANSITIONS.items() if t.to in HOLDS}
    assert {State(word) for word in re.findall(r"'(\w+)'", held.group(1))} == came_from
    disputed = re.search(r"conflict is null or state in \(([^)]*)\)", schema)
    assert disputed is not None
    disputable = {s for s, v in TRANSITIONS if v is Verb.CONFLICT_RESOLVED}
    assert {State(word) for word in re.findall(r"'(\w+)'", disputed.group(1))} == disputable


def test_unknown_ids_are_unknown_to_everybody() -> None:
    stage = Stage()
    assert stage.refuses(Verb.RECEIVED, uuid4(), make.RECIPIENT) == "unknown-referral"
