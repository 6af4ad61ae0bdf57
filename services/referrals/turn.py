"""Whose turn it is, and what may be declared now: the life cycle's table as a person asks it. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from contracts.values import State, Verb
from services.referrals.lifecycle import Party, Transition, decide
from services.referrals.referral import ENDED, Referral, StopDuty

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


def turn(referral: Referral) -> Party | None:
    """Who has to act now: while it is disputed who is competent, oversight; a child without content waits for it; where
    the work has ended, whoever has not confirmed that it stopped using the data."""
    if referral.conflict is not None:
        return Party.OVERSIGHT
    if referral.awaits_content and referral.state in (State.REQUESTED, State.RECEIVED):
        return Party.SENDER
    if referral.state in ENDED and referral.stop_duty is StopDuty.OPEN:
        return Party.RECIPIENT
    return TURN[referral.state]


def possible(referral: Referral) -> Mapping[Party, tuple[Verb, ...]]:
    """What sender and recipient may declare now, in the order of the contract; who may nothing is left out.

    What a declaration carries may still have it refused.
    """
    found = {
        party: tuple(verb for verb in Verb if isinstance(decide(referral, verb, parts), Transition))
        for party, parts in _PARTS.items()
    }
    return {party: verbs for party, verbs in found.items() if verbs}


_PARTS = {
    Party.SENDER: frozenset({Party.SENDER}),
    Party.RECIPIENT: frozenset({Party.RECIPIENT, Party.HOLDER}),
}
