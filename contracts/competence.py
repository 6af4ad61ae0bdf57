"""The competence conflict: what opens it, what its parties say, who decides it.

Two bodies that each hold the other competent send a person round in circles. Here the referral stays with its receiver,
and the conflict is told to the Personería and the Defensoría until it is decided (Ley 1437/2011 art. 39).
"""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from contracts.model import Model
from contracts.reasons import RefusalReason
from contracts.values import InstitutionCode, Moment, Reference, Verb


class ConflictTrigger(StrEnum):
    """What opens a competence conflict instead of sending the person round once more."""

    LOOP = "loop"
    THIRD_HOP = "third-hop"
    DOUBLE_REFUSAL = "double-refusal"


class DecidingBody(StrEnum):
    """Who decides a competence conflict (Ley 1437/2011 art. 39; Ley 1098/2006 art. 99, as amended in 2018)."""

    FAMILY_JUDGE = "family-judge"
    ADMINISTRATIVE_COURT = "administrative-court"
    COUNCIL_OF_STATE = "council-of-state"
    COMMON_SUPERIOR = "common-superior"
    AGREEMENT = "agreement"


class ConflictOpened(Model):
    """Why no child was opened, between whom it is disputed, and who keeps responsibility meanwhile.

    ``declared`` is what the receiver tried, ``target`` whom it named, if anybody. For a child ``responsible`` is the
    first authority that knew (Ley 1098/2006 art. 99, as amended in 2018); otherwise the receiver.
    """

    trigger: ConflictTrigger
    declared: Verb
    reason: RefusalReason
    target: InstitutionCode | None = None
    parties: Annotated[tuple[InstitutionCode, ...], Field(min_length=1, max_length=64, strict=False)]
    responsible: InstitutionCode


class PositionStated(Model):
    """Whether a party to a competence conflict holds itself competent, and on which norm."""

    competent: bool
    norm: Reference


class ConflictResolved(Model):
    """Who is competent, who decided so, and on which norm; declared by an oversight body that is no party to it."""

    competent: InstitutionCode
    decided_by: DecidingBody
    norm: Reference


class Lineage(Model):
    """Where a child comes from: the chain's root and its receipt, the referral before it, and who sent it on.

    ``path`` names the receivers so far, oldest first. Operational terms count from the root's receipt
    (``clock_from``), statutory ones from the child's own, because they begin with the competent authority.
    """

    root: UUID
    parent: UUID
    path: Annotated[tuple[InstitutionCode, ...], Field(min_length=1, max_length=64, strict=False)]
    redirected_by: InstitutionCode
    by_resolution: bool
    clock_from: Moment
