"""What institutions declare: one model per verb. ``details`` holds codes, ids and dates; ``sealed`` all else."""

from typing import Annotated, Generic, TypeVar
from uuid import UUID

from pydantic import Field

from contracts.competence import ConflictResolved, PositionStated
from contracts.legal import AuthorisationChannel, Kept, LegalBasis
from contracts.model import Model
from contracts.reasons import (
    HoldReason,
    NeedResult,
    NotAchievedReason,
    Outcome,
    RedirectionReason,
    RefusalReason,
    ReopeningReason,
    ReversalReason,
    VoidingReason,
    WithdrawalReason,
)
from contracts.sealing import Sealed
from contracts.values import (
    DataClass,
    Day,
    Divipola,
    DocumentType,
    EscalationRule,
    FirstAction,
    Flag,
    InformationItem,
    InstitutionCode,
    PersonRef,
    Reference,
    Service,
    Urgency,
    Verb,
)

TYPE_PREFIX = "co.ruta.referral."
"""Every declaration's CloudEvents type is this, the verb, and the major version: ``co.ruta.referral.requested.v1``."""

DetailsT_co = TypeVar("DetailsT_co", bound=Model, covariant=True)

Items = Annotated[tuple[InformationItem, ...], Field(min_length=1, max_length=10, strict=False)]


class Territories(Model):
    """Three places that may differ; competence depends on which (DIVIPOLA codes)."""

    residence: Divipola
    fact: Divipola | None = None
    service: Divipola


class Requested(Model):
    """One service asked of one recipient for one person, as part of a need (the envelope's correlationid).

    ``document_types`` is the history of the person's papers, oldest first, types only: a person holds several at once
    and they replace each other (PEP, PPT, CE). None is fine, and so is a person without any (AS, MS). ``follows`` is
    the former referral of the same person that this one asks again, better.
    """

    recipient: InstitutionCode
    service: Service
    urgency: Urgency
    territories: Territories
    person: PersonRef
    flags: Annotated[tuple[Flag, ...], Field(max_length=7, strict=False)] = ()
    document_types: Annotated[tuple[DocumentType, ...], Field(max_length=13, strict=False)] = ()
    legal_basis: LegalBasis
    follows: UUID | None = None


class Received(Model):
    """A person of the receiver has read it and evaluates it; the envelope must name that person's authid."""


class Accepted(Model):
    """The receiver commits: which unit, and when it plans to act."""

    unit: Reference
    planned_on: Day


class AcceptanceReverted(Model):
    """The receiver takes its acceptance back before any action, and why."""

    reason: ReversalReason


class InformationRequested(Model):
    """What the receiver needs from the sender to go on; questions in words are sealed."""

    items: Items


class InformationProvided(Model):
    """What the sender gives, as a sealed part."""

    items: Items


class Rejected(Model):
    """The receiver will not do it, and why."""

    reason: RefusalReason


class Returned(Model):
    """Wrong or incomplete: back to the sender, and why."""

    reason: RefusalReason


class Redirected(Model):
    """Sent on to the body that is competent, on which legal ground (Ley 1437/2011 art. 21).

    ``child`` is the new referral's id, chosen like any other; the sealed part is made anew for the target and bound to
    it. ``legal_basis`` is why the target may receive the data: nobody's authorisation is another's.
    """

    target: InstitutionCode
    child: UUID
    reason: RedirectionReason
    ground: Reference
    legal_basis: LegalBasis


class Started(Model):
    """The first action for the person, and its day."""

    first_action: FirstAction
    on: Day


class Waitlisted(Model):
    """No capacity now: why, and when it is expected."""

    reason: HoldReason
    expected_on: Day


class Resumed(Model):
    """The receiver goes on from where it stood before it waited."""


class Completed(Model):
    """What came of it, and the day of service."""

    outcome: Outcome
    on: Day


class NotAchieved(Model):
    """Tried and not achieved, and why."""

    reason: NotAchievedReason


class Withdrawn(Model):
    """The sender, or the person through it, takes the referral back, and why."""

    reason: WithdrawalReason


class ConsentRevoked(Model):
    """The person took the authorisation back: on which day, and how."""

    on: Day
    channel: AuthorisationChannel


class StopConfirmed(Model):
    """A holder no longer uses the data: what it erased, what it keeps and why. Both may be empty: it held nothing."""

    erased: Annotated[tuple[DataClass, ...], Field(max_length=7, strict=False)] = ()
    kept: Annotated[tuple[Kept, ...], Field(max_length=7, strict=False)] = ()


class Closed(Model):
    """The sender confirms what became of the need."""

    result: NeedResult


class Reopened(Model):
    """The work begins again with the same receiver, and why."""

    reason: ReopeningReason


class Voided(Model):
    """The record should never have been made, and why. It is kept, never deleted."""

    reason: VoidingReason


class Escalated(Model):
    """Somebody above must look: which duty was not kept."""

    rule: EscalationRule


class Body(Model, Generic[DetailsT_co]):
    """The value of a declaration: codes in the open, everything about the person sealed."""

    details: DetailsT_co
    sealed: Sealed | None = None


class RequestedBody(Body[Requested]):
    """A request always carries its sealed part: without it the recipient would not know whom to help."""

    sealed: Sealed


class RedirectedBody(Body[Redirected]):
    """A redirection always carries the sealed part for the target: without it the target could not help."""

    sealed: Sealed


class InformationProvidedBody(Body[InformationProvided]):
    """The information itself is about the person, so it is sealed."""

    sealed: Sealed


Details = (
    Requested
    | Received
    | Accepted
    | AcceptanceReverted
    | InformationRequested
    | InformationProvided
    | Rejected
    | Returned
    | Redirected
    | Started
    | Waitlisted
    | Resumed
    | Completed
    | NotAchieved
    | Withdrawn
    | ConsentRevoked
    | StopConfirmed
    | Closed
    | Reopened
    | Voided
    | Escalated
    | PositionStated
    | ConflictResolved
)

BODIES: dict[Verb, type[Body[Model]]] = {
    Verb.REQUESTED: RequestedBody,
    Verb.RECEIVED: Body[Received],
    Verb.ACCEPTED: Body[Accepted],
    Verb.ACCEPTANCE_REVERTED: Body[AcceptanceReverted],
    Verb.INFORMATION_REQUESTED: Body[InformationRequested],
    Verb.INFORMATION_PROVIDED: InformationProvidedBody,
    Verb.REJECTED: Body[Rejected],
    Verb.RETURNED: Body[Returned],
    Verb.REDIRECTED: RedirectedBody,
    Verb.STARTED: Body[Started],
    Verb.WAITLISTED: Body[Waitlisted],
    Verb.RESUMED: Body[Resumed],
    Verb.COMPLETED: Body[Completed],
    Verb.NOT_ACHIEVED: Body[NotAchieved],
    Verb.WITHDRAWN: Body[Withdrawn],
    Verb.CONSENT_REVOKED: Body[ConsentRevoked],
    Verb.STOP_CONFIRMED: Body[StopConfirmed],
    Verb.CLOSED: Body[Closed],
    Verb.REOPENED: Body[Reopened],
    Verb.VOIDED: Body[Voided],
    Verb.ESCALATED: Body[Escalated],
    Verb.POSITION_STATED: Body[PositionStated],
    Verb.CONFLICT_RESOLVED: Body[ConflictResolved],
}
"""Every verb, and what the value of each must be."""
