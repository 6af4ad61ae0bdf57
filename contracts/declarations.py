"""What institutions declare: one model per verb. ``details`` holds codes, ids and dates; ``sealed`` all else.

Verbs of ``contracts.values.Verb`` without a model here are known to the contract but not yet supported.
"""

from typing import Annotated, Generic, TypeVar

from pydantic import Field, model_validator

from contracts.model import Model
from contracts.sealing import Sealed
from contracts.values import (
    Basis,
    DataClass,
    Day,
    Divipola,
    DocumentType,
    FirstAction,
    Flag,
    InstitutionCode,
    NeedResult,
    Outcome,
    PersonRef,
    Reference,
    RefusalReason,
    Service,
    Urgency,
    Verb,
    WithdrawalReason,
)

TYPE_PREFIX = "co.ruta.referral."
"""Every declaration's CloudEvents type is this, the verb, and the major version: ``co.ruta.referral.requested.v1``."""

DetailsT = TypeVar("DetailsT", bound=Model)


class Territories(Model):
    """Three places that may differ; competence depends on which (DIVIPOLA codes)."""

    residence: Divipola
    fact: Divipola | None = None
    service: Divipola


class LegalBasis(Model):
    """Why this recipient may receive the data: its public function with the norm, or the person's authorisation.

    An authorisation names the version of its text, the day and the data classes it releases
    (Ley 1581/2012 art. 9; Decreto 1377/2013 art. 7); a court order or a public function names its norm.
    """

    basis: Basis
    norm: Reference | None = None
    text_version: Reference | None = None
    given_on: Day | None = None
    data_classes: Annotated[tuple[DataClass, ...], Field(max_length=7, strict=False)] = ()

    @model_validator(mode="after")
    def _complete(self) -> "LegalBasis":
        if self.basis is Basis.AUTHORISATION and (
            self.text_version is None or self.given_on is None or not self.data_classes
        ):
            raise ValueError("an authorisation needs text_version, given_on and data_classes")
        if self.basis in (Basis.PUBLIC_FUNCTION, Basis.COURT_ORDER) and self.norm is None:
            raise ValueError("a public function or a court order needs its norm")
        return self


class Requested(Model):
    """One service asked of one recipient for one person, as part of a need (the envelope's correlationid)."""

    recipient: InstitutionCode
    service: Service
    urgency: Urgency
    territories: Territories
    person: PersonRef
    flags: Annotated[tuple[Flag, ...], Field(max_length=7, strict=False)] = ()
    document_types: Annotated[tuple[DocumentType, ...], Field(max_length=13, strict=False)] = ()
    legal_basis: LegalBasis


class Received(Model):
    """A person of the receiver has read it and evaluates it; the envelope must name that person's authid."""


class Accepted(Model):
    """The receiver commits: which unit, and when it plans to act."""

    unit: Reference
    planned_on: Day


class Started(Model):
    """The first action for the person, and its day."""

    first_action: FirstAction
    on: Day


class Completed(Model):
    """What came of it, and the day of service."""

    outcome: Outcome
    on: Day


class Rejected(Model):
    """The receiver will not do it, and why."""

    reason: RefusalReason


class Returned(Model):
    """Wrong or incomplete: back to the sender, and why."""

    reason: RefusalReason


class Withdrawn(Model):
    """The sender, or the person through it, takes the referral back, and why."""

    reason: WithdrawalReason


class Closed(Model):
    """The sender confirms what became of the need."""

    result: NeedResult


class Body(Model, Generic[DetailsT]):
    """The value of a declaration: codes in the open, everything about the person sealed."""

    details: DetailsT
    sealed: Sealed | None = None


class RequestedBody(Body[Requested]):
    """A request always carries its sealed part: without it the recipient would not know whom to help."""

    sealed: Sealed


Details = Requested | Received | Accepted | Started | Completed | Rejected | Returned | Withdrawn | Closed

BODIES: dict[Verb, type[Body[Requested]] | type[Body[Model]]] = {
    Verb.REQUESTED: RequestedBody,
    Verb.RECEIVED: Body[Received],  # type: ignore[dict-item]
    Verb.ACCEPTED: Body[Accepted],  # type: ignore[dict-item]
    Verb.STARTED: Body[Started],  # type: ignore[dict-item]
    Verb.COMPLETED: Body[Completed],  # type: ignore[dict-item]
    Verb.REJECTED: Body[Rejected],  # type: ignore[dict-item]
    Verb.RETURNED: Body[Returned],  # type: ignore[dict-item]
    Verb.WITHDRAWN: Body[Withdrawn],  # type: ignore[dict-item]
    Verb.CLOSED: Body[Closed],  # type: ignore[dict-item]
}
"""The verbs this version supports, and what the value of each must be."""
