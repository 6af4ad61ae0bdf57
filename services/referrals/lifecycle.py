"""The life cycle of a referral: one table, one decision, one fold. Pure: ``now`` is an argument.

``TRANSITIONS`` is the only place where the life cycle is written down; the SQL check, the schemas and the
documentation are tested equal to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from contracts.codec import Declaration
from contracts.facts import AppliedFact, RequestedFact
from contracts.values import Refusal, Service, State, Urgency, Verb


class Party(StrEnum):
    """Who may declare a verb: the institution that asked, or the one that was asked."""

    SENDER = "sender"
    RECIPIENT = "recipient"


@dataclass(frozen=True, slots=True)
class Transition:
    """By whom a verb may be declared and where it leads."""

    by: Party
    to: State


@dataclass(frozen=True, slots=True)
class Referral:
    """One service asked of one recipient for one person. ``version`` counts its changes from 1; times are UTC."""

    id: UUID
    version: int
    state: State
    sender: str
    recipient: str
    need: UUID
    person: UUID
    service: Service
    urgency: Urgency
    opened_at: datetime
    changed_at: datetime


def _table() -> Mapping[tuple[State | None, Verb], Transition]:
    s = State
    active = (s.REQUESTED, s.RECEIVED, s.AWAITING_INFORMATION, s.ACCEPTED, s.IN_PROGRESS, s.WAITLISTED)
    rows: tuple[tuple[Verb, tuple[State | None, ...], State, Party], ...] = (
        (Verb.REQUESTED, (None,), s.REQUESTED, Party.SENDER),
        (Verb.RECEIVED, (s.REQUESTED,), s.RECEIVED, Party.RECIPIENT),
        (Verb.ACCEPTED, (s.REQUESTED, s.RECEIVED), s.ACCEPTED, Party.RECIPIENT),
        (Verb.REJECTED, (s.REQUESTED, s.RECEIVED), s.REJECTED, Party.RECIPIENT),
        (Verb.RETURNED, (s.REQUESTED, s.RECEIVED), s.RETURNED, Party.RECIPIENT),
        (Verb.STARTED, (s.ACCEPTED, s.WAITLISTED), s.IN_PROGRESS, Party.RECIPIENT),
        (Verb.COMPLETED, (s.ACCEPTED, s.IN_PROGRESS, s.WAITLISTED), s.COMPLETED, Party.RECIPIENT),
        (Verb.WITHDRAWN, active, s.WITHDRAWN, Party.SENDER),
        (Verb.CLOSED, (s.COMPLETED, s.NOT_ACHIEVED, s.REJECTED, s.RETURNED), s.CLOSED, Party.SENDER),
    )
    return MappingProxyType({(state, verb): Transition(by, to) for verb, states, to, by in rows for state in states})


TRANSITIONS = _table()
SUPPORTED = frozenset(verb for _, verb in TRANSITIONS)
DECLARED_BY: Mapping[Verb, Party] = MappingProxyType({verb: t.by for (_, verb), t in TRANSITIONS.items()})


def decide(referral: Referral | None, declaration: Declaration) -> Transition | Refusal:
    """Where a declaration leads, or why it may not take effect.

    An institution that is no party learns nothing: for it the referral is unknown (DESIGN, who sees what).
    """
    head = declaration.envelope
    if head.verb not in SUPPORTED:
        return Refusal.UNSUPPORTED_VERB
    if head.verb is Verb.REQUESTED and referral is None:
        return TRANSITIONS[None, Verb.REQUESTED]
    if referral is None or head.institution not in (referral.sender, referral.recipient):
        return Refusal.UNKNOWN_REFERRAL
    if head.verb is Verb.REQUESTED:
        return Refusal.REFERRAL_EXISTS
    if head.need != referral.need:
        return Refusal.NEED_MISMATCH
    if DECLARED_BY[head.verb] is Party.SENDER and head.institution != referral.sender:
        return Refusal.NOT_THE_SENDER
    if DECLARED_BY[head.verb] is Party.RECIPIENT and head.institution != referral.recipient:
        return Refusal.NOT_THE_RECIPIENT
    return TRANSITIONS.get((referral.state, head.verb), Refusal.WRONG_STATE)


def evolve(referral: Referral | None, id: UUID, need: UUID, fact: AppliedFact) -> Referral:  # noqa: A002
    """The referral after a fact. Raises ValueError for a fact that does not follow: facts are never skipped."""
    if isinstance(fact, RequestedFact):
        if referral is not None or fact.version != 1:
            raise ValueError("a referral is requested once, as its first version")
        asked = fact.details
        return Referral(
            id=id,
            version=1,
            state=fact.state,
            sender=fact.sender,
            recipient=fact.recipient,
            need=need,
            person=asked.person,
            service=asked.service,
            urgency=asked.urgency,
            opened_at=fact.received_at,
            changed_at=fact.received_at,
        )
    if referral is None or fact.version != referral.version + 1:
        raise ValueError("a fact follows the version before it")
    return replace(referral, version=fact.version, state=fact.state, changed_at=fact.received_at)
