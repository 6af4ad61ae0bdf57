"""Coded reasons and outcomes: why something was or was not done, who decided it, and what usually follows.

Codes and their consequences stand in ``reasons.toml``, their Spanish labels in ``labels/es_CO.toml``; tests hold
all three equal. A code that is not here is refused, never defaulted; an explanation belongs into ``sealed``.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType

from contracts.labels import label

CATALOGUE = Path(__file__).parent / "reasons.toml"


class RefusalReason(StrEnum):
    """Why a receiver rejects a referral or returns it to its sender."""

    NOT_COMPETENT = "not-competent"
    OUTSIDE_TERRITORY = "outside-territory"
    REQUIREMENTS_NOT_MET = "requirements-not-met"
    DOCUMENTS_MISSING = "documents-missing"
    NO_CAPACITY = "no-capacity"
    SERVICE_SUSPENDED = "service-suspended"
    ALREADY_SERVED_ELSEWHERE = "already-served-elsewhere"
    DUPLICATE = "duplicate"
    INSUFFICIENT_INFORMATION = "insufficient-information"
    WRONG_RECIPIENT = "wrong-recipient"
    UNMANAGEABLE_RISK = "unmanageable-risk"
    OTHER = "other"


class RedirectionReason(StrEnum):
    """Why a receiver sends a referral on to the body that it holds competent (Ley 1437/2011 art. 21)."""

    NOT_COMPETENT = "not-competent"
    OUTSIDE_TERRITORY = "outside-territory"
    WRONG_RECIPIENT = "wrong-recipient"


class ReversalReason(StrEnum):
    """Why a receiver takes its acceptance back before any action."""

    ACCEPTED_BY_MISTAKE = "accepted-by-mistake"
    CAPACITY_LOST = "capacity-lost"
    NEW_INFORMATION = "new-information"
    NOT_COMPETENT = "not-competent"
    OTHER = "other"


class HoldReason(StrEnum):
    """Why a person waits for a service that was accepted."""

    WAITING_LIST = "waiting-list"
    PENDING_DOCUMENT = "pending-document"
    PENDING_ASSESSMENT = "pending-assessment"
    PENDING_THIRD_PARTY = "pending-third-party"
    REQUESTED_BY_PERSON = "requested-by-person"


class NotAchievedReason(StrEnum):
    """Why the work did not reach its end."""

    NOT_LOCATED = "not-located"
    DID_NOT_ATTEND = "did-not-attend"
    PERSON_DESISTED = "person-desisted"
    CONDITIONS_NOT_ACCEPTED = "conditions-not-accepted"
    MOVED_MUNICIPALITY = "moved-municipality"
    LEFT_COUNTRY = "left-country"
    DECEASED = "deceased"
    NEED_COVERED_OTHERWISE = "need-covered-otherwise"
    DOCUMENT_IMPEDIMENT = "document-impediment"
    FORCE_MAJEURE = "force-majeure"
    OTHER = "other"


class WithdrawalReason(StrEnum):
    """Why a sender withdraws a referral."""

    AUTHORISATION_REVOKED = "authorisation-revoked"
    PERSON_DESISTS = "person-desists"
    SENDER_ERROR = "sender-error"
    DUPLICATE = "duplicate"
    SAFETY_RISK = "safety-risk"
    REPLACED = "replaced"


class ReopeningReason(StrEnum):
    """Why the work on a referral begins again."""

    NEED_NOT_MET = "need-not-met"
    OUTCOME_NOT_CONFIRMED = "outcome-not-confirmed"
    NEW_INFORMATION = "new-information"
    PERSON_RETURNED = "person-returned"
    UNFOUNDED_REFUSAL = "unfounded-refusal"
    OTHER = "other"


class VoidingReason(StrEnum):
    """Why a record should never have been made."""

    REGISTERED_BY_MISTAKE = "registered-by-mistake"
    WRONG_PERSON = "wrong-person"
    WRONG_RECIPIENT = "wrong-recipient"
    TEST_RECORD = "test-record"


class Outcome(StrEnum):
    """What came of the work, as the receiver reports it."""

    SERVICE_PROVIDED = "service-provided"
    PARTLY_PROVIDED = "partly-provided"
    ENROLLED = "enrolled"
    EXTERNAL_WAITING_LIST = "external-waiting-list"
    DOCUMENT_ISSUED = "document-issued"
    MEASURE_ADOPTED = "measure-adopted"
    ADVICE_GIVEN = "advice-given"
    NO_RESULT = "no-result"


class NeedResult(StrEnum):
    """What became of the person's need, as the sender confirms when it closes the referral."""

    MET = "met"
    PARTLY_MET = "partly-met"
    NOT_MET = "not-met"
    NOT_REPORTED = "not-reported"
    """Nobody confirmed or objected: closure by the clock."""


class DecidedBy(StrEnum):
    """Whose decision a reason reports."""

    INSTITUTION = "institution"
    PERSON = "person"
    SYSTEM = "system"


class Consequence(StrEnum):
    """What usually follows for whoever has to act next."""

    REDIRECT = "redirect"
    ASK_ELSEWHERE = "ask-elsewhere"
    COMPLETE_AND_ASK_AGAIN = "complete-and-ask-again"
    CLOSE = "close"
    FOLLOW_UP = "follow-up"
    WAIT = "wait"
    STOP_USE = "stop-use"
    WORK_AGAIN = "work-again"
    CONFIRM_RESULT = "confirm-result"


Code = (
    RefusalReason
    | RedirectionReason
    | ReversalReason
    | HoldReason
    | NotAchievedReason
    | WithdrawalReason
    | ReopeningReason
    | VoidingReason
    | Outcome
    | NeedResult
)


@dataclass(frozen=True, slots=True)
class Reason:
    """One entry of the catalogue.

    ``disputes_competence``: the institution says that the case is another's. ``lacks_papers``: the person is made to
    wait, or is turned away, for want of a document.
    """

    decided_by: DecidedBy
    consequence: Consequence
    disputes_competence: bool = False
    lacks_papers: bool = False


@cache
def catalogue() -> Mapping[str, Mapping[str, Reason]]:
    """All entries: name of the enumeration to code to entry. Raises ValueError for an entry that is not complete."""
    return MappingProxyType(
        {
            enumeration: MappingProxyType({code: _entry(raw) for code, raw in codes.items()})
            for enumeration, codes in tomllib.loads(CATALOGUE.read_text("utf-8")).items()
        }
    )


def reason(code: Code) -> Reason:
    """The entry of a code."""
    return catalogue()[type(code).__name__][code.value]


def described(code: Code) -> tuple[str, str, str]:
    """A code in Spanish: what it says, who decided, what follows."""
    entry = reason(code)
    return label(code), label(entry.decided_by), label(entry.consequence)


def _entry(raw: Mapping[str, object]) -> Reason:
    known = {name: raw[name] for name in ("disputes_competence", "lacks_papers") if name in raw}
    if raw.keys() - known.keys() != {"decided_by", "consequence"}:
        raise ValueError("an entry has decided_by, consequence, and what its code is marked with")
    return Reason(DecidedBy(str(raw["decided_by"])), Consequence(str(raw["consequence"])), **known)  # type: ignore[arg-type]
