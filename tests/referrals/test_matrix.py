"""Every state, every verb, every institution, as records: applied exactly where the design says so."""

from functools import cache
from uuid import UUID

import pytest

from contracts.applied import Applied
from contracts.values import State, Verb
from services.referrals.lifecycle import Condition, Party
from services.referrals.referral import StopDuty
from tests.referrals.acting import NGO, O, S, W
from tests.referrals.design import designed
from tests.referrals.stage import Stage
from tests.support import builders as make

WAYS: dict[State, tuple[Verb, ...]] = {
    State.REQUESTED: (),
    State.RECEIVED: (Verb.RECEIVED,),
    State.AWAITING_INFORMATION: (Verb.RECEIVED, Verb.INFORMATION_REQUESTED),
    State.ACCEPTED: (Verb.ACCEPTED,),
    State.IN_PROGRESS: (Verb.ACCEPTED, Verb.STARTED),
    State.WAITLISTED: (Verb.ACCEPTED, Verb.WAITLISTED),
    State.COMPLETED: (Verb.ACCEPTED, Verb.COMPLETED),
    State.NOT_ACHIEVED: (Verb.ACCEPTED, Verb.NOT_ACHIEVED),
    State.REJECTED: (Verb.REJECTED,),
    State.RETURNED: (Verb.RETURNED,),
    State.REDIRECTED: (Verb.REDIRECTED,),
    State.WITHDRAWN: (Verb.WITHDRAWN,),
    State.CLOSED: (Verb.ACCEPTED, Verb.COMPLETED, Verb.CLOSED),
    State.VOIDED: (Verb.VOIDED,),
}
"""How a referral gets into each state."""


def parts(by: str, state: State) -> set[Party]:
    """Everybody else is a stranger; whom it was redirected to holds one of the chain."""
    beyond = {O: {Party.HOLDER}} if state is State.REDIRECTED else {}
    known = {S: {Party.SENDER}, NGO: {Party.RECIPIENT, Party.HOLDER}, W: {Party.OVERSIGHT}, **beyond}
    return known.get(by, set())


@cache
def reached(state: State) -> tuple[Stage, UUID]:
    """A world in which one referral is in this state."""
    stage = Stage()
    referral = stage.request(recipient=NGO, legal_basis=make.AUTHORISED)
    stage.path(referral, *WAYS[state])
    assert stage.referrals[referral].state is state
    return stage, referral


@pytest.mark.parametrize("verb", [verb for verb in Verb if verb is not Verb.REQUESTED])
@pytest.mark.parametrize("state", State)
def test_applied_exactly_where_the_design_says_so(state: State, verb: Verb) -> None:
    world, referral = reached(state)
    before = world.referrals[referral]
    transition = designed().get((state, verb))
    met = transition is not None and (
        transition.when in (None, Condition.BEFORE_ACCEPTANCE)
        or (transition.when is Condition.STOP_DUTY and before.stop_duty is StopDuty.OPEN)
    )
    for by in make.MEMBERS:
        may = met and transition is not None and not parts(by, state).isdisjoint(transition.by)
        stage = Stage(referrals=dict(world.referrals), claims=dict(world.claims))
        answer = stage.say(verb, referral, by)[0]
        if may and transition is not None:
            assert isinstance(answer, Applied), (by, answer)
            assert answer.kind == verb.value
            assert (answer.state, answer.version) == (transition.destination(before), before.version + 1)
        else:
            assert answer.kind == "refused", (by, answer)
            assert stage.referrals == world.referrals
            assert stage.facts[0].parties == (by,)
            assert (answer.reason == "unknown-referral") == (not parts(by, state))
