"""Whose turn it is, and what may be declared now: the life cycle's table as a person asks it. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from contracts.values import State, Verb
from services.referrals.chain import Chain, parts
from services.referrals.lifecycle import TRANSITIONS, Party, Transition, decide
from services.referrals.policy import barred
from services.referrals.referral import ENDED, Referral, StopDuty

DUE: Mapping[State, tuple[Verb, ...]] = MappingProxyType(
    {
        State.REQUESTED: (Verb.RECEIVED,),
        State.RECEIVED: (Verb.ACCEPTED, Verb.REJECTED, Verb.RETURNED, Verb.REDIRECTED),
        State.AWAITING_INFORMATION: (Verb.INFORMATION_PROVIDED,),
        State.ACCEPTED: (Verb.STARTED,),
        State.IN_PROGRESS: (Verb.COMPLETED, Verb.NOT_ACHIEVED),
        State.WAITLISTED: (Verb.RESUMED,),
        State.COMPLETED: (Verb.CLOSED,),
        State.NOT_ACHIEVED: (Verb.CLOSED,),
        State.REJECTED: (Verb.CLOSED,),
        State.RETURNED: (Verb.CLOSED,),
        State.REDIRECTED: (),
        State.WITHDRAWN: (),
        State.CLOSED: (),
        State.VOIDED: (),
    }
)
"""What takes the work on, one of these; nothing where it has ended (DESIGN §4: closed, redirected, withdrawn, voided).
All else that the life cycle allows is a choice."""

TURN: Mapping[State, Party | None] = MappingProxyType(
    {state: TRANSITIONS[state, verbs[0]].by[0] if verbs else None for state, verbs in DUE.items()}
)
"""Who has to act for the work to go on; None where it has ended."""

OPEN: tuple[State, ...] = tuple(state for state, party in TURN.items() if party is not None)
"""The states in which somebody still has to act."""


class Step(NamedTuple):
    """What one institution has to declare now, one of it, and what it may."""

    institution: str
    due: tuple[Verb, ...]
    may: tuple[Verb, ...]


def due(referral: Referral) -> tuple[Verb, ...]:
    """What somebody has to declare now: while it is disputed who is competent, the resolution and the positions; a
    child without content waits for it; where the work has ended, the use of the data may still have to stop."""
    if referral.conflict is not None:
        return (Verb.CONFLICT_RESOLVED, Verb.POSITION_STATED)
    if referral.awaits_content and referral.state in (State.REQUESTED, State.RECEIVED):
        return (Verb.INFORMATION_PROVIDED,)
    if referral.state in ENDED and referral.stop_duty is StopDuty.OPEN:
        return (Verb.STOP_CONFIRMED,)
    return DUE[referral.state]


def turn(referral: Referral) -> Party | None:
    """Who has to act now; in a conflict oversight, whose resolution ends it."""
    verbs = due(referral)
    return TRANSITIONS[referral.state, verbs[0]].by[0] if verbs else None


def steps(referral: Referral, chain: Chain) -> tuple[Step, ...]:
    """What sender, recipient and the parties to a conflict have to or may declare now, in the order of the contract.

    Whoever has to comes first; who may nothing is left out. What a declaration carries may still have it refused.
    """
    disputing = referral.conflict.opened.parties if referral.conflict else ()
    concerned = dict.fromkeys((referral.sender, referral.recipient, *disputing))
    found = [_step(referral, chain, institution) for institution in concerned]
    return tuple(sorted((step for step in found if step.due or step.may), key=lambda step: not step.due))


def _step(referral: Referral, chain: Chain, institution: str) -> Step:
    mine = parts(institution, referral, chain, {})
    possible = [
        verb
        for verb in Verb
        if isinstance(decide(referral, verb, mine), Transition) and barred(verb, referral, chain) is None
    ]
    wanted = due(referral)
    stated = referral.conflict is not None and institution in referral.conflict.positions
    owed = [verb for verb in possible if verb in wanted and not stated]
    # That a stop must be confirmed is a duty in every state, which the page tells by itself.
    return Step(institution, tuple(owed), tuple(verb for verb in possible if verb not in (*owed, Verb.STOP_CONFIRMED)))
