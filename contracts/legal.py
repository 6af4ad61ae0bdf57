"""On what the sharing of a person's data with one recipient rests, and what is known of an authorisation.

Ley 1581/2012: art. 5 (sensitive data), 7 (children), 9 (authorisation), 10 (when none is needed); Decreto 1377/2013
art. 7 (how it is given) and 12 (children).
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from contracts.model import Model
from contracts.values import Basis, DataClass, Day, InstitutionCode, Reference, Sha256

LanguageCode = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]
"""ISO 639 code of a language: ``es``, ``pt``, ``ht``; ``guc`` is Wayuunaiki."""


class AuthorisationChannel(StrEnum):
    """How a person gave or took back the authorisation."""

    WRITTEN = "written"
    IN_PERSON = "in-person"
    TELEPHONE = "telephone"
    DIGITAL = "digital"
    INTERPRETER = "interpreter"


class Representative(StrEnum):
    """Who authorises for a child."""

    PARENT = "parent"
    GUARDIAN = "guardian"
    FAMILY_DEFENDER = "family-defender"
    OTHER_RELATIVE = "other-relative"


class Assent(StrEnum):
    """Whether the child, heard according to age and maturity, agrees. A child that refuses is not referred."""

    GIVEN = "given"
    NOT_MATURE = "not-mature"


class KeptReason(StrEnum):
    """Why data are kept although their use has stopped."""

    LEGAL_DUTY = "legal-duty"
    ARCHIVE_LAW = "archive-law"
    CHILD_PROTECTION = "child-protection"
    COURT_ORDER = "court-order"
    DEFENCE_OF_RIGHTS = "defence-of-rights"


class LegalBasis(Model):
    """Why this recipient may receive the data: its public function with the norm, or the person's authorisation.

    An authorisation names the version of its text, how and when it was given, in which languages it was explained and
    the data classes it releases; for a child also who authorises and whether the child assents (a rule asks for these,
    because only the request knows that it is about a child). A court order or a public function names its norm.
    ``explained_by`` is the opaque id of the official who explained it; ``document_sha256`` the digest of the signed
    form or the recording, which stays with the sender as its proof (Ley 1581/2012 art. 17 lit. b).
    """

    basis: Basis
    norm: Reference | None = None
    text_version: Reference | None = None
    channel: AuthorisationChannel | None = None
    given_on: Day | None = None
    expires_on: Day | None = None
    languages: Annotated[tuple[LanguageCode, ...], Field(max_length=5, strict=False)] = ()
    data_classes: Annotated[tuple[DataClass, ...], Field(max_length=7, strict=False)] = ()
    explained_by: Reference | None = None
    document_sha256: Sha256 | None = None
    representative: Representative | None = None
    assent: Assent | None = None

    @model_validator(mode="after")
    def _complete(self) -> "LegalBasis":
        if self.basis is Basis.AUTHORISATION and (
            self.text_version is None
            or self.channel is None
            or self.given_on is None
            or not self.languages
            or not self.data_classes
        ):
            raise ValueError("an authorisation needs text_version, channel, given_on, languages and data_classes")
        if self.basis in (Basis.PUBLIC_FUNCTION, Basis.COURT_ORDER) and self.norm is None:
            raise ValueError("a public function or a court order needs its norm")
        return self


class Kept(Model):
    """A class of data that a holder keeps, and why it must."""

    data_class: DataClass
    because: KeptReason


class StopCause(StrEnum):
    """Why a holder must stop using the data."""

    WITHDRAWN = "withdrawn"
    CONSENT_REVOKED = "consent-revoked"
    VOIDED = "voided"


class StopDuty(Model):
    """Who must stop using the data, erase what it may, and confirm; and why."""

    holder: InstitutionCode
    because: StopCause
