"""Declarations and records for tests: everything has a default, every test says only what matters to it."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cache
from typing import Any
from uuid import UUID, uuid4

from joserfc.jwk import OKPKey

from contracts import codec, declarations, topics
from contracts.codec import Declaration, Located, Record
from contracts.competence import ConflictResolved, DecidingBody, PositionStated
from contracts.declarations import BODIES, Details, Redirected, Requested, Territories
from contracts.directory import Channel, ContactPoint, Institution, Kind
from contracts.envelope import Envelope
from contracts.legal import Assent, AuthorisationChannel, LegalBasis, Representative
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
from contracts.sealing import Sealed, seal
from contracts.values import (
    AuthType,
    Basis,
    DataClass,
    EscalationRule,
    FirstAction,
    Flag,
    InformationItem,
    Service,
    Urgency,
    Verb,
)

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
SENDER, RECIPIENT, OTHER, NGO = "personeria-giron", "icbf-santander", "imebu", "acnur"
THIRD, OVERSIGHT, ELSEWHERE = "salud-giron", "defensoria-santander", "procuraduria-antioquia"


def institution(
    code: str, kind: Kind = Kind.MUNICIPAL, *, territory: tuple[str, ...] = ("68307",), oversight: bool = False
) -> Institution:
    """A member with one contact point."""
    contact = ContactPoint(channel=Channel.EMAIL, address=f"avisos@{code}.mesa.example", purpose="Recepción")
    return Institution(
        code=code, name=code.title(), kind=kind, territory=territory, oversight=oversight, contacts=(contact,)
    )


MEMBERS: Mapping[str, Institution] = {
    one.code: one
    for one in (
        institution(SENDER, Kind.PERSONERIA),
        institution(RECIPIENT, Kind.CHILD_PROTECTION, territory=("68",)),
        institution(OTHER, Kind.DECENTRALISED),
        institution(THIRD),
        institution(NGO, Kind.UNITED_NATIONS),
        institution(OVERSIGHT, Kind.OMBUDSMAN, territory=("68",), oversight=True),
        institution(ELSEWHERE, Kind.DISCIPLINARY, territory=("05",), oversight=True),
    )
}

PUBLIC = LegalBasis(basis=Basis.PUBLIC_FUNCTION, norm="Ley-1098-2006-art-52")
AUTHORISED = LegalBasis(
    basis=Basis.AUTHORISATION,
    text_version="v1",
    channel=AuthorisationChannel.WRITTEN,
    given_on=date(2026, 11, 1),
    languages=("es",),
    data_classes=(DataClass.IDENTITY,),
    representative=Representative.PARENT,
    assent=Assent.GIVEN,
)


def requested(**changes: Any) -> Requested:
    """A request for a child, to the child-protection body."""
    fields: dict[str, Any] = {
        "recipient": RECIPIENT,
        "service": Service.CHILD_UNACCOMPANIED,
        "urgency": Urgency.U1,
        "territories": Territories(residence="68307", service="68307"),
        "person": uuid4(),
        "flags": (Flag.CHILD,),
        "legal_basis": PUBLIC,
    }
    return Requested(**(fields | changes))


def redirected(target: str = OTHER, **changes: Any) -> Redirected:
    """A redirection for want of competence."""
    fields: dict[str, Any] = {
        "target": target,
        "child": uuid4(),
        "reason": RedirectionReason.NOT_COMPETENT,
        "ground": "Ley-1437-2011-art-21",
        "legal_basis": PUBLIC,
    }
    return Redirected(**(fields | changes))


DETAILS: Mapping[Verb, Details] = {
    Verb.RECEIVED: declarations.Received(),
    Verb.ACCEPTED: declarations.Accepted(unit="centro-zonal-1", planned_on=date(2026, 11, 25)),
    Verb.ACCEPTANCE_REVERTED: declarations.AcceptanceReverted(reason=ReversalReason.CAPACITY_LOST),
    Verb.INFORMATION_REQUESTED: declarations.InformationRequested(items=(InformationItem.LOCATION,)),
    Verb.INFORMATION_PROVIDED: declarations.InformationProvided(items=(InformationItem.LOCATION,)),
    Verb.REJECTED: declarations.Rejected(reason=RefusalReason.NO_CAPACITY),
    Verb.RETURNED: declarations.Returned(reason=RefusalReason.INSUFFICIENT_INFORMATION),
    Verb.STARTED: declarations.Started(first_action=FirstAction.INTERVIEW, on=date(2026, 11, 25)),
    Verb.WAITLISTED: declarations.Waitlisted(reason=HoldReason.WAITING_LIST, expected_on=date(2026, 12, 10)),
    Verb.RESUMED: declarations.Resumed(),
    Verb.COMPLETED: declarations.Completed(outcome=Outcome.MEASURE_ADOPTED, on=date(2026, 11, 26)),
    Verb.NOT_ACHIEVED: declarations.NotAchieved(reason=NotAchievedReason.NOT_LOCATED),
    Verb.WITHDRAWN: declarations.Withdrawn(reason=WithdrawalReason.PERSON_DESISTS),
    Verb.CONSENT_REVOKED: declarations.ConsentRevoked(on=date(2026, 11, 24), channel=AuthorisationChannel.IN_PERSON),
    Verb.STOP_CONFIRMED: declarations.StopConfirmed(erased=(DataClass.IDENTITY,)),
    Verb.CLOSED: declarations.Closed(result=NeedResult.MET),
    Verb.REOPENED: declarations.Reopened(reason=ReopeningReason.NEED_NOT_MET),
    Verb.VOIDED: declarations.Voided(reason=VoidingReason.REGISTERED_BY_MISTAKE),
    Verb.ESCALATED: declarations.Escalated(rule=EscalationRule.NOT_DECIDED),
    Verb.POSITION_STATED: PositionStated(competent=False, norm="Ley-1098-2006"),
    Verb.CONFLICT_RESOLVED: ConflictResolved(
        competent=THIRD, decided_by=DecidingBody.FAMILY_JUDGE, norm="Ley-1098-2006-art-99"
    ),
}


def default_details(verb: Verb) -> Details:
    """What a declaration of this verb carries by default."""
    match verb:
        case Verb.REQUESTED:
            return requested()
        case Verb.REDIRECTED:
            return redirected()
    return DETAILS[verb]


@cache
def key(name: str) -> OKPKey:
    """A sealing key pair per name, made once per test run."""
    return OKPKey.generate_key("X25519")


def sealed(referral: UUID, content: bytes = b"{}", *readers: str) -> Sealed:
    """A sealed part for the vault and the named readers."""
    return seal(content, referral, [key(name) for name in ("vault", *readers)])


def declaration(
    verb: Verb,
    referral: UUID,
    need: UUID,
    *,
    by: str,
    id: UUID | None = None,  # noqa: A002
    details: Details | None = None,
    auth_type: AuthType = AuthType.USER,
    time: datetime = NOW,
    seal_it: bool | None = None,
) -> Declaration:
    """A declaration as an institution would make it; sealed where it must be, otherwise when asked to."""
    wants_seal = BODIES[verb].model_fields["sealed"].is_required() if seal_it is None else seal_it
    head = Envelope(
        id=id or uuid4(),
        source=f"//{by}/tests",
        institution=by,
        verb=verb,
        referral=referral,
        need=need,
        time=time,
        auth_type=auth_type,
        auth_id="official-1",
    )
    carried = details or default_details(verb)
    return Declaration(head, carried, sealed(codec.sealed_for(head, carried)) if wants_seal else None)


def record(made: Declaration, *, topic_of: str | None = None, offset: int = 0) -> Record:
    """The record an institution's publisher sends, as it would arrive."""
    record_key, headers, value = codec.encode(made)
    topic = topics.inbound(topic_of or made.envelope.institution)
    return Record(topic, 0, offset, int(NOW.timestamp() * 1000), record_key, tuple(headers), value)


def located(one: Record) -> Located:
    """The record with the ids of its cluster and topic."""
    return Located(one, "test-cluster", f"id-of-{one.topic}")
