"""Whose turn it is, and what may be declared now: the life cycle's table as a person asks it. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from contracts.values import State, Verb
from services.referrals.lifecycle import TRANSITIONS, Party

TURN: Mapping[State, Party | None] = MappingProxyType(
    {
        State.REQUESTED: Party.RECIPIENT,
        State.RECEIVED: Party.RECIPIENT,
        State.AWAITING_INFORMATION: Party.SENDER,
        State.ACCEPTED: Party.RECIPIENT,
        State.IN_PROGRESS: Party.RECIPIENT,
        State.WAITLISTED: Party.RECIPIENT,
        State.COMPLETED: Party.SENDER,
        State.NOT_ACHIEVED: Party.SENDER,
        State.REJECTED: Party.SENDER,
        State.RETURNED: Party.SENDER,
        State.REDIRECTED: None,
        State.WITHDRAWN: None,
        State.CLOSED: None,
        State.VOIDED: None,
    }
)
"""Who has to act for the work to go on; None where it has ended (DESIGN §4: closed, redirected, withdrawn, voided)."""

OPEN: tuple[State, ...] = tuple(state for state, party in TURN.items() if party is not None)
"""The states in which somebody still has to act."""


def possible(state: State) -> Mapping[Party, tuple[Verb, ...]]:
    """What each party may declare in a state, in the order of the contract; parties without anything are left out."""
    found: dict[Party, list[Verb]] = {}
    for verb in Verb:
        transition = TRANSITIONS.get((state, verb))
        if transition is not None:
            found.setdefault(transition.by, []).append(verb)
    return {party: tuple(verbs) for party, verbs in found.items()}
