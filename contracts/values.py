"""The small words of the contracts: codes and bounded strings. Spanish texts for them: ``labels/es_CO.toml``."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BeforeValidator, Field, StringConstraints

InstitutionCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=48)]
"""A member of the directory, for instance ``icbf-santander``. Never a name, so that names may change."""

Divipola = Annotated[str, StringConstraints(pattern=r"^([0-9]{2}|[0-9]{5})$")]
"""DANE's code of a department (two digits) or a municipality (five); ``68001`` is Bucaramanga."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A digest, in hexadecimal."""

Reference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:/-]{1,64}$")]
"""An opaque identifier of an official, a unit or a norm. Without spaces no sentence fits in, but a name written with
dots or dashes does (``ana.perez``): the pattern cannot keep it out, institutions must choose ids that name nobody."""

Moment = Annotated[datetime, AwareDatetime]


def _calendar_day(given: object) -> object:
    # The library alone would also read seconds since 1970 in a text: "0" was a day.
    if type(given) is date or (isinstance(given, str) and len(given) == 10 and given[4] == "-"):
        return given
    raise ValueError("a day is written YYYY-MM-DD")


Day = Annotated[date, Field(strict=False), BeforeValidator(_calendar_day)]
"""A day of the calendar in Colombia, YYYY-MM-DD (RFC 3339 full-date)."""

PersonRef = UUID
"""The issuing institution's random reference of a person; means nothing outside that institution."""


class State(StrEnum):
    """Where a referral stands (DESIGN: the fourteen states; there is no expired state)."""

    REQUESTED = "requested"
    RECEIVED = "received"
    AWAITING_INFORMATION = "awaiting_information"
    ACCEPTED = "accepted"
    IN_PROGRESS = "in_progress"
    WAITLISTED = "waitlisted"
    COMPLETED = "completed"
    NOT_ACHIEVED = "not_achieved"
    REJECTED = "rejected"
    RETURNED = "returned"
    REDIRECTED = "redirected"
    WITHDRAWN = "withdrawn"
    CLOSED = "closed"
    VOIDED = "voided"


class Verb(StrEnum):
    """What an institution can declare of a referral; the last part of a declaration's ``type``."""

    REQUESTED = "requested"
    RECEIVED = "received"
    ACCEPTED = "accepted"
    ACCEPTANCE_REVERTED = "acceptance-reverted"
    INFORMATION_REQUESTED = "information-requested"
    INFORMATION_PROVIDED = "information-provided"
    REJECTED = "rejected"
    RETURNED = "returned"
    REDIRECTED = "redirected"
    STARTED = "started"
    WAITLISTED = "waitlisted"
    RESUMED = "resumed"
    COMPLETED = "completed"
    NOT_ACHIEVED = "not-achieved"
    WITHDRAWN = "withdrawn"
    CONSENT_REVOKED = "consent-revoked"
    STOP_CONFIRMED = "stop-confirmed"
    CLOSED = "closed"
    REOPENED = "reopened"
    VOIDED = "voided"
    ESCALATED = "escalated"
    POSITION_STATED = "position-stated"
    CONFLICT_RESOLVED = "conflict-resolved"


class Urgency(StrEnum):
    """U0 danger to life now (FHIR stat), U1 children and protection (asap), U2 priority (urgent), U3 routine."""

    U0 = "U0"
    U1 = "U1"
    U2 = "U2"
    U3 = "U3"


class Service(StrEnum):
    """One service that a referral can ask for, by dimension of the Mesa Migratoria."""

    LEGAL_ADVICE = "legal.advice"
    LEGAL_REFUGE = "legal.refuge"
    LEGAL_PERMIT = "legal.permit"
    LEGAL_NATIONALITY = "legal.nationality"
    LEGAL_PETITION = "legal.petition"
    RIGHTS_THREAT = "rights.threat"
    RIGHTS_DISCRIMINATION = "rights.discrimination"
    RIGHTS_TRAFFICKING = "rights.trafficking"
    RIGHTS_GENDER_VIOLENCE = "rights.gender-violence"
    RIGHTS_DISAPPEARANCE = "rights.disappearance"
    RIGHTS_VICTIMS = "rights.victims"
    CHILD_RIGHTS_PROCEDURE = "child.rights-procedure"
    CHILD_UNACCOMPANIED = "child.unaccompanied"
    CHILD_LABOUR = "child.labour"
    CHILD_REUNIFICATION = "child.reunification"
    HEALTH_EMERGENCY = "health.emergency"
    HEALTH_PREGNANCY = "health.pregnancy"
    HEALTH_VACCINATION = "health.vaccination"
    HEALTH_MENTAL = "health.mental"
    HEALTH_HIV = "health.hiv"
    HEALTH_AFFILIATION = "health.affiliation"
    SOCIAL_FOOD = "social.food"
    SOCIAL_HOUSEHOLD_ITEMS = "social.household-items"
    SOCIAL_CASH = "social.cash"
    SOCIAL_OLDER_PERSONS = "social.older-persons"
    SOCIAL_DISABILITY = "social.disability"
    HOUSING_SHELTER = "housing.shelter"
    HOUSING_RENT = "housing.rent"
    HOUSING_EVICTION = "housing.eviction"
    EMPLOYMENT_PLACEMENT = "employment.placement"
    EMPLOYMENT_TRAINING = "employment.training"
    EMPLOYMENT_ENTERPRISE = "employment.enterprise"
    EMPLOYMENT_CERTIFICATION = "employment.certification"
    EDUCATION_PLACE = "education.place"
    EDUCATION_VALIDATION = "education.validation"
    EDUCATION_TRANSPORT = "education.transport"
    EDUCATION_EARLY_CHILDHOOD = "education.early-childhood"
    CULTURE_INTEGRATION = "culture.integration"
    CULTURE_LANGUAGE = "culture.language"
    CULTURE_EVENTS = "culture.events"


class Flag(StrEnum):
    """A condition of the person that changes duties and terms. Never a diagnosis, never a name."""

    CHILD = "child"
    UNACCOMPANIED = "unaccompanied"
    PREGNANT = "pregnant"
    DISABILITY = "disability"
    OLDER_PERSON = "older-person"
    VICTIM = "victim"
    REFUGE_APPLICANT = "refuge-applicant"


class DocumentType(StrEnum):
    """Kinds of identity document (health ministry's TipoIdPISIS codes; numbers never leave ``sealed``)."""

    CC = "CC"
    TI = "TI"
    RC = "RC"
    CN = "CN"
    CE = "CE"
    PA = "PA"
    PT = "PT"
    PE = "PE"
    SC = "SC"
    CD = "CD"
    DE = "DE"
    AS = "AS"
    MS = "MS"


class DataClass(StrEnum):
    """What kind of personal data a referral shares in its sealed part."""

    IDENTITY = "identity"
    CONTACT = "contact"
    MIGRATION_STATUS = "migration-status"
    HEALTH = "health"
    VIOLENCE = "violence"
    CHILDHOOD = "childhood"
    DOCUMENTS = "documents"


class FirstAction(StrEnum):
    """What the receiver did first for the person."""

    APPOINTMENT = "appointment"
    INTERVIEW = "interview"
    HOME_VISIT = "home-visit"
    RIGHTS_VERIFICATION = "rights-verification"
    URGENT_MEASURE = "urgent-measure"
    ADMISSION = "admission"
    DELIVERY = "delivery"
    PROCEDURE_STARTED = "procedure-started"


class Basis(StrEnum):
    """On what the sharing of data with this recipient rests (Ley 1581/2012, arts. 9 and 10)."""

    AUTHORISATION = "authorisation"
    PUBLIC_FUNCTION = "public-function"
    VITAL_URGENCY = "vital-urgency"
    COURT_ORDER = "court-order"


class AuthType(StrEnum):
    """Who acted at the institution (CloudEvents auth context): one of its officials or one of its systems."""

    USER = "user"
    SYSTEM = "system"


class InformationItem(StrEnum):
    """What a receiver asks the sender for, and what the sender then gives, sealed."""

    IDENTITY = "identity"
    CONTACT = "contact"
    LOCATION = "location"
    DOCUMENTS = "documents"
    MIGRATION_STATUS = "migration-status"
    HEALTH = "health"
    FAMILY = "family"
    FACTS = "facts"
    REPRESENTATIVE = "representative"
    AUTHORISATION = "authorisation"


class EscalationRule(StrEnum):
    """Which duty was not kept, or which risk makes somebody above look."""

    NOT_ACKNOWLEDGED = "not-acknowledged"
    NOT_DECIDED = "not-decided"
    NO_FIRST_ACTION = "no-first-action"
    STATUTORY_TERM_MISSED = "statutory-term-missed"
    STOP_NOT_CONFIRMED = "stop-not-confirmed"
    RISK_TO_PERSON = "risk-to-person"
    REQUESTED_BY_OVERSIGHT = "requested-by-oversight"


class Refusal(StrEnum):
    """Why a well-formed declaration was refused. The referral stays as it was."""

    UNKNOWN_REFERRAL = "unknown-referral"
    REFERRAL_EXISTS = "referral-exists"
    NEED_MISMATCH = "need-mismatch"
    NOT_THE_SENDER = "not-the-sender"
    NOT_THE_RECIPIENT = "not-the-recipient"
    NOT_A_HOLDER = "not-a-holder"
    NOT_OVERSIGHT = "not-oversight"
    NOT_IN_THE_CONFLICT = "not-in-the-conflict"
    WRONG_STATE = "wrong-state"
    PERSON_REQUIRED = "person-required"
    UNKNOWN_RECIPIENT = "unknown-recipient"
    RECIPIENT_IS_SENDER = "recipient-is-sender"
    TARGET_IS_RECIPIENT = "target-is-recipient"
    DUPLICATE_REQUEST = "duplicate-request"
    FORMER_UNKNOWN = "former-unknown"
    AUTHORISATION_REQUIRED = "authorisation-required"
    AUTHORISATION_EXPIRED = "authorisation-expired"
    AUTHORISATION_DATED_AHEAD = "authorisation-dated-ahead"
    AUTHORISATION_REVOKED = "authorisation-revoked"
    REPRESENTATIVE_REQUIRED = "representative-required"
    ASSENT_REQUIRED = "assent-required"
    URGENCY_NOT_VITAL = "urgency-not-vital"
    PAPERS_NEVER_BLOCK = "papers-never-block"
    RESULT_REQUIRED = "result-required"
    REDIRECTION_REQUIRED = "redirection-required"
    COMPETENCE_DECIDED = "competence-decided"
    CONFLICT_OPEN = "conflict-open"
    NO_CONFLICT = "no-conflict"
    PARTY_CANNOT_RESOLVE = "party-cannot-resolve"
    NO_STOP_DUTY = "no-stop-duty"
    NOTHING_TO_REVOKE = "nothing-to-revoke"
    ALREADY_REVOKED = "already-revoked"


class Problem(StrEnum):
    """Why a record could not be read as a declaration of the topic's owner. It is quarantined."""

    EMPTY = "empty"
    TOO_LARGE = "too-large"
    KEY_INVALID = "key-invalid"
    HEADER_MISSING = "header-missing"
    HEADER_REPEATED = "header-repeated"
    HEADER_UNREADABLE = "header-unreadable"
    HEADER_INVALID = "header-invalid"
    SPECVERSION_UNSUPPORTED = "specversion-unsupported"
    CONTENT_TYPE_UNSUPPORTED = "content-type-unsupported"
    TYPE_UNKNOWN = "type-unknown"
    TYPE_VERSION_UNKNOWN = "type-version-unknown"
    SOURCE_INVALID = "source-invalid"
    SOURCE_NOT_OWNER = "source-not-owner"
    SOURCE_UNKNOWN = "source-unknown"
    KEY_NOT_SUBJECT = "key-not-subject"
    TIME_OUT_OF_BOUNDS = "time-out-of-bounds"
    JSON_INVALID = "json-invalid"
    JSON_FORBIDDEN_CHARACTER = "json-forbidden-character"
    FIELD_INVALID = "field-invalid"
    SEALED_NOT_BOUND = "sealed-not-bound"
    STORAGE_REFUSED = "storage-refused"
    INTERNAL_ERROR = "internal-error"
