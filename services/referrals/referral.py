"""What is known of a referral, and how a fact changes it. Pure: the stored row is the fold of the facts."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import Field

from contracts.applied import (
    AppliedFact,
    ConflictOpenedFact,
    ConflictResolvedFact,
    ConsentRevokedFact,
    EscalatedFact,
    InformationProvidedFact,
    PositionStatedFact,
    RequestedFact,
    StopConfirmedFact,
    StopDutyOpenedFact,
)
from contracts.competence import ConflictOpened, PositionStated
from contracts.declarations import Requested
from contracts.model import Model
from contracts.values import Basis, Flag, Moment, Service, State, Urgency

ACTIVE = frozenset(
    {State.REQUESTED, State.RECEIVED, State.AWAITING_INFORMATION, State.ACCEPTED, State.IN_PROGRESS, State.WAITLISTED}
)
"""Somebody works on it or should (DESIGN §10)."""

ENDED = frozenset({State.CLOSED, State.REDIRECTED, State.WITHDRAWN, State.VOIDED})
"""The work has ended; every other state is open: somebody still has to act."""


class StopDuty(StrEnum):
    """Whether the receiver has been told to stop using the data, and has confirmed that it did."""

    OPEN = "open"
    CONFIRMED = "confirmed"


class Conflict(Model):
    """An open competence conflict: between whom, who keeps responsibility, and what each party has said so far."""

    opened: ConflictOpened
    opened_at: Moment
    positions: dict[str, PositionStated] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Referral:
    """One service asked of one recipient for one person. ``version`` counts its changes from 1; times are UTC.

    What never changes: ``root`` is the referral that the chain began with (itself, unless somebody sent it on),
    ``path`` the earlier receivers of the chain, oldest first; ``clock_from`` is where operational terms count from;
    ``asked`` the request as JSON, read on demand, since most declarations never look; ``follows`` the former referral
    that this one asks again.

    What does: ``held_from`` is where it goes back to from a hold; ``stop_duty`` is its recipient's, in any state;
    ``revoked``: the authorisation it rested on was taken back; ``competence_decided``: a resolution put it where it
    is; ``awaits_content``: a resolution opened it, and the sender has not yet sealed the content for its recipient.
    """

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
    root: UUID
    parent: UUID | None
    path: tuple[str, ...]
    redirected_by: str | None
    clock_from: datetime
    follows: UUID | None
    asked: str
    held_from: State | None = None
    stop_duty: StopDuty | None = None
    revoked: bool = False
    escalated: bool = False
    competence_decided: bool = False
    awaits_content: bool = False
    conflict: Conflict | None = None

    @property
    def request(self) -> Requested:
        """What was asked, with the recipient and the basis of this referral."""
        return Requested.model_validate_json(self.asked)

    @property
    def hops(self) -> int:
        """How often it has been sent on."""
        return len(self.path)

    @property
    def of_a_child(self) -> bool:
        """Whether it is about a child, by what the sender says of the person or by the service."""
        return about_a_child(self.request)

    @property
    def by_authorisation(self) -> bool:
        """Whether it rests on the person's authorisation."""
        return self.request.legal_basis.basis is Basis.AUTHORISATION

    @property
    def places(self) -> tuple[str, ...]:
        """The places that decide whose territory it is in."""
        territories = self.request.territories
        return tuple(filter(None, (territories.fact, territories.residence, territories.service)))


def about_a_child(request: Requested) -> bool:
    """Whether a request is about a child, by what the sender says of the person or by the service."""
    return bool({Flag.CHILD, Flag.UNACCOMPANIED} & set(request.flags)) or request.service.value.startswith("child.")


def evolve(referral: Referral | None, id: UUID, need: UUID, fact: AppliedFact) -> Referral:  # noqa: A002
    """The referral after a fact. Raises ValueError for a fact that does not follow: facts are never skipped."""
    if isinstance(fact, RequestedFact):
        if referral is not None or fact.version != 1:
            raise ValueError("a referral is requested once, as its first version")
        return _opened(id, need, fact)
    if referral is None or fact.version != referral.version + 1:
        raise ValueError("a fact follows the version before it")
    changes = _changes(referral, fact)
    return replace(referral, version=fact.version, state=fact.state, changed_at=fact.received_at, **changes)


def _opened(id: UUID, need: UUID, fact: RequestedFact) -> Referral:  # noqa: A002
    asked, lineage = fact.details, fact.lineage
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
        root=lineage.root if lineage else id,
        parent=lineage.parent if lineage else None,
        path=lineage.path if lineage else (),
        redirected_by=lineage.redirected_by if lineage else None,
        clock_from=lineage.clock_from if lineage else fact.received_at,
        follows=fact.follows,
        asked=asked.model_dump_json(exclude_none=True),
        competence_decided=lineage is not None and lineage.by_resolution,
        awaits_content=lineage is not None and lineage.by_resolution and fact.sender != fact.recipient,
    )


def _changes(referral: Referral, fact: AppliedFact) -> dict[str, Any]:
    """What changes beside version, state and time."""
    changes: dict[str, Any] = {}
    if fact.state is not referral.state:
        holds = fact.state in (State.AWAITING_INFORMATION, State.WAITLISTED)
        changes["held_from"] = referral.state if holds else None
    if fact.state in ENDED:
        changes["conflict"] = None
    match fact:
        case InformationProvidedFact():
            changes["awaits_content"] = False
        case ConsentRevokedFact():
            changes["revoked"] = True
        case StopDutyOpenedFact():
            changes["stop_duty"] = StopDuty.OPEN
        case StopConfirmedFact():
            changes["stop_duty"] = StopDuty.CONFIRMED
        case EscalatedFact():
            changes["escalated"] = True
        case ConflictOpenedFact():
            changes["conflict"] = Conflict(opened=fact.details, opened_at=fact.received_at)
        case PositionStatedFact() if referral.conflict is not None:
            positions = {**referral.conflict.positions, fact.cause.owner: fact.details}
            changes["conflict"] = referral.conflict.model_copy(update={"positions": positions})
        case ConflictResolvedFact():
            changes |= {"conflict": None, "competence_decided": True}
    return changes
