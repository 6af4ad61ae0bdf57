"""The life cycle of a referral: one table, and one decision over it. Pure.

``TRANSITIONS`` is the only place where the life cycle is written down; the SQL check, the schemas, the pages and the
documentation follow from it or are tested equal to it. Who plays which part is found in ``chain``; what a declaration
must say beyond its place in the table is in ``policy``; what follows from it is in ``effects``.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from contracts.values import Refusal, State, Verb
from services.referrals.referral import ACTIVE, ENDED, Referral, StopDuty


class Party(StrEnum):
    """The part that whoever declares has in a referral."""

    SENDER = "sender"
    RECIPIENT = "recipient"
    HOLDER = "holder"
    """It received this referral or another of the chain, and has not confirmed that it stopped using the data."""
    IN_CONFLICT = "in-conflict"
    """A party to the open competence conflict."""
    OVERSIGHT = "oversight"
    """The directory's oversight role, in a territory that covers the referral."""
    CLOCK = "clock"
    """Nobody: a term that ran out."""


class Lead(StrEnum):
    """Where a transition leads that does not name a state."""

    UNCHANGED = "unchanged"
    BACK = "back"
    """To the state that it came from when it was held."""


class Condition(StrEnum):
    """What must be so besides the state."""

    BEFORE_ACCEPTANCE = "before-acceptance"
    """It was not accepted before it was held."""
    CONTENT_AWAITED = "content-awaited"
    """A resolution opened it, and its content is still to come from the sender."""
    STOP_DUTY = "stop-duty"
    """Its recipient has not confirmed that it stopped using the data."""
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Transition:
    """By whom a verb may be declared and where it leads; whose absence is told first comes first in ``by``.

    ``or_unchanged``: a rule of competence may keep the referral where it is (a conflict opens, or the receiver is the
    competent body).
    """

    by: tuple[Party, ...]
    to: State | Lead
    when: Condition | None = None
    or_unchanged: bool = False

    def destination(self, referral: Referral | None) -> State:
        """The state after it. Raises ValueError where there is nothing to go back to or to leave as it is."""
        if isinstance(self.to, State):
            return self.to
        if referral is None or (self.to is Lead.BACK and referral.held_from is None):
            raise ValueError("there is no state to go back to")
        return referral.held_from if self.to is Lead.BACK and referral.held_from else referral.state


Row = tuple[Verb, tuple[State | None, ...], Transition]


def _rows() -> tuple[Row, ...]:
    s, v = State, Verb
    sender, recipient, oversight = (Party.SENDER,), (Party.RECIPIENT,), (Party.OVERSIGHT,)
    active = tuple(state for state in State if state in ACTIVE)
    opened = tuple(state for state in State if state not in ENDED)
    ended = tuple(state for state in State if state in ENDED)
    inactive = tuple(state for state in State if state not in ACTIVE and state is not s.VOIDED)
    undecided = (s.REQUESTED, s.RECEIVED)
    at_work = (s.ACCEPTED, s.IN_PROGRESS, s.WAITLISTED)
    reported = (s.COMPLETED, s.NOT_ACHIEVED)
    refused = (s.REJECTED, s.RETURNED)
    disputable = (*undecided, s.AWAITING_INFORMATION)

    def refusals(verb: Verb, to: State) -> tuple[Row, ...]:
        return (
            (verb, undecided, Transition(recipient, to, or_unchanged=True)),
            (
                verb,
                (s.AWAITING_INFORMATION,),
                Transition(recipient, to, Condition.BEFORE_ACCEPTANCE, or_unchanged=True),
            ),
        )

    return (
        (v.REQUESTED, (None,), Transition(sender, s.REQUESTED)),
        (v.RECEIVED, (s.REQUESTED,), Transition(recipient, s.RECEIVED)),
        (v.ACCEPTED, undecided, Transition(recipient, s.ACCEPTED)),
        # Work leaves this state at its first action and never comes back to it, so nothing has been done yet.
        (v.ACCEPTANCE_REVERTED, (s.ACCEPTED,), Transition(recipient, s.RECEIVED)),
        (v.INFORMATION_REQUESTED, (s.RECEIVED, s.ACCEPTED), Transition(recipient, s.AWAITING_INFORMATION)),
        (v.INFORMATION_PROVIDED, (s.AWAITING_INFORMATION,), Transition(sender, Lead.BACK)),
        # Whoever has acknowledged or begun without the content is still owed it.
        (
            v.INFORMATION_PROVIDED,
            (*undecided, *at_work),
            Transition(sender, Lead.UNCHANGED, Condition.CONTENT_AWAITED),
        ),
        *refusals(v.REJECTED, s.REJECTED),
        *refusals(v.RETURNED, s.RETURNED),
        *refusals(v.REDIRECTED, s.REDIRECTED),
        (v.STARTED, (s.ACCEPTED, s.WAITLISTED), Transition(recipient, s.IN_PROGRESS)),
        (v.WAITLISTED, (s.ACCEPTED, s.IN_PROGRESS), Transition(recipient, s.WAITLISTED)),
        (v.RESUMED, (s.WAITLISTED, s.AWAITING_INFORMATION), Transition(recipient, Lead.BACK)),
        (v.COMPLETED, at_work, Transition(recipient, s.COMPLETED)),
        (v.NOT_ACHIEVED, at_work, Transition(recipient, s.NOT_ACHIEVED)),
        (v.WITHDRAWN, active, Transition(sender, s.WITHDRAWN)),
        (v.CONSENT_REVOKED, active, Transition((Party.HOLDER, Party.SENDER), s.WITHDRAWN, or_unchanged=True)),
        (v.CONSENT_REVOKED, inactive, Transition((Party.HOLDER, Party.SENDER), Lead.UNCHANGED)),
        (v.STOP_CONFIRMED, tuple(State), Transition(recipient, Lead.UNCHANGED, Condition.STOP_DUTY)),
        (v.CLOSED, (*reported, *refused), Transition((Party.SENDER, Party.CLOCK), s.CLOSED)),
        (v.REOPENED, (*reported, s.CLOSED), Transition((Party.SENDER, Party.OVERSIGHT), s.REQUESTED)),
        (v.REOPENED, refused, Transition(oversight, s.REQUESTED)),
        (v.VOIDED, tuple(state for state in State if state is not s.VOIDED), Transition(sender, s.VOIDED)),
        (v.ESCALATED, opened, Transition((Party.OVERSIGHT, Party.CLOCK), Lead.UNCHANGED)),
        (v.ESCALATED, ended, Transition((Party.OVERSIGHT, Party.CLOCK), Lead.UNCHANGED, Condition.STOP_DUTY)),
        (v.POSITION_STATED, disputable, Transition((Party.IN_CONFLICT,), Lead.UNCHANGED, Condition.CONFLICT)),
        (v.CONFLICT_RESOLVED, disputable, Transition(oversight, s.REDIRECTED, Condition.CONFLICT, or_unchanged=True)),
    )


TRANSITIONS: Mapping[tuple[State | None, Verb], Transition] = MappingProxyType(
    {(state, verb): transition for verb, states, transition in _rows() for state in states}
)

DECLARED_BY: Mapping[Verb, tuple[Party, ...]] = MappingProxyType(
    {
        verb: tuple(dict.fromkeys(party for (_, of), row in TRANSITIONS.items() if of is verb for party in row.by))
        for verb in Verb
    }
)
"""Who may ever declare a verb; whose absence is told first comes first."""

DURING_CONFLICT = frozenset(
    {
        Verb.POSITION_STATED, Verb.CONFLICT_RESOLVED, Verb.WITHDRAWN, Verb.CONSENT_REVOKED, Verb.STOP_CONFIRMED,
        Verb.VOIDED, Verb.ESCALATED,
    }
)  # fmt: skip
"""All that applies while it is disputed who is competent (DESIGN §10)."""

NOT_THE: Mapping[Party, Refusal] = MappingProxyType(
    {
        Party.SENDER: Refusal.NOT_THE_SENDER,
        Party.RECIPIENT: Refusal.NOT_THE_RECIPIENT,
        Party.HOLDER: Refusal.NOT_A_HOLDER,
        Party.IN_CONFLICT: Refusal.NOT_IN_THE_CONFLICT,
        Party.OVERSIGHT: Refusal.NOT_OVERSIGHT,
    }
)
"""What somebody is told that has another part."""


def decide(referral: Referral | None, verb: Verb, parts: Set[Party]) -> Transition | Refusal:
    """Where a verb leads when it is declared by somebody with these parts, or why it may not take effect.

    Whoever has no part learns nothing: for it the referral is unknown (DESIGN §10, who sees what).
    """
    if referral is None:
        return TRANSITIONS[None, Verb.REQUESTED] if verb is Verb.REQUESTED else Refusal.UNKNOWN_REFERRAL
    if not parts:
        return Refusal.UNKNOWN_REFERRAL
    if verb is Verb.REQUESTED:
        return Refusal.REFERRAL_EXISTS
    # Without a conflict it has no parties: that there is none is the better answer.
    if verb is Verb.POSITION_STATED and referral.conflict is None:
        return Refusal.NO_CONFLICT
    if parts.isdisjoint(DECLARED_BY[verb]):
        return NOT_THE[DECLARED_BY[verb][0]]
    transition = TRANSITIONS.get((referral.state, verb))
    if transition is None:
        return Refusal.WRONG_STATE
    if parts.isdisjoint(transition.by):
        return NOT_THE[transition.by[0]]
    if referral.conflict is not None and verb not in DURING_CONFLICT:
        return Refusal.CONFLICT_OPEN
    return _unmet(referral, transition) or transition


def _unmet(referral: Referral, transition: Transition) -> Refusal | None:
    match transition.when:
        case Condition.BEFORE_ACCEPTANCE if referral.held_from is not State.RECEIVED:
            return Refusal.WRONG_STATE
        case Condition.CONTENT_AWAITED if not referral.awaits_content:
            return Refusal.WRONG_STATE
        case Condition.STOP_DUTY if referral.stop_duty is not StopDuty.OPEN:
            return Refusal.NO_STOP_DUTY
        case Condition.CONFLICT if referral.conflict is None:
            return Refusal.NO_CONFLICT
    return None
