"""Declarations and records for tests: everything has a default, every test says only what matters to it."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cache
from typing import Any
from uuid import UUID, uuid4

from joserfc.jwk import OKPKey

from contracts import codec, declarations, topics
from contracts.codec import Declaration, Located, Record
from contracts.declarations import Details, LegalBasis, Requested, Territories
from contracts.directory import Channel, ContactPoint, Institution, Kind
from contracts.envelope import Envelope
from contracts.sealing import Sealed, seal
from contracts.values import (
    AuthType,
    Basis,
    DataClass,
    FirstAction,
    Flag,
    NeedResult,
    Outcome,
    RefusalReason,
    Service,
    Urgency,
    Verb,
    WithdrawalReason,
)

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
SENDER, RECIPIENT, OTHER, NGO = "personeria-giron", "icbf-santander", "imebu", "acnur"


def institution(code: str, kind: Kind = Kind.MUNICIPAL) -> Institution:
    """A member with one contact point."""
    contact = ContactPoint(channel=Channel.EMAIL, address=f"avisos@{code}.mesa.example", purpose="Recepción")
    return Institution(code=code, name=code.title(), kind=kind, territory=("68001",), contacts=(contact,))


MEMBERS: Mapping[str, Institution] = {
    code: institution(code, kind)
    for code, kind in (
        (SENDER, Kind.PERSONERIA),
        (RECIPIENT, Kind.CHILD_PROTECTION),
        (OTHER, Kind.DECENTRALISED),
        (NGO, Kind.UNITED_NATIONS),
    )
}

PUBLIC = LegalBasis(basis=Basis.PUBLIC_FUNCTION, norm="Ley-1098-2006-art-52")
AUTHORISED = LegalBasis(
    basis=Basis.AUTHORISATION, text_version="v1", given_on=date(2026, 11, 1), data_classes=(DataClass.IDENTITY,)
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


DETAILS: Mapping[Verb, Details] = {
    Verb.RECEIVED: declarations.Received(),
    Verb.ACCEPTED: declarations.Accepted(unit="centro-zonal-1", planned_on=date(2026, 11, 25)),
    Verb.STARTED: declarations.Started(first_action=FirstAction.INTERVIEW, on=date(2026, 11, 25)),
    Verb.COMPLETED: declarations.Completed(outcome=Outcome.MEASURE_ADOPTED, on=date(2026, 11, 26)),
    Verb.REJECTED: declarations.Rejected(reason=RefusalReason.NO_CAPACITY),
    Verb.RETURNED: declarations.Returned(reason=RefusalReason.INSUFFICIENT_INFORMATION),
    Verb.WITHDRAWN: declarations.Withdrawn(reason=WithdrawalReason.PERSON_DESISTS),
    Verb.CLOSED: declarations.Closed(result=NeedResult.MET),
}


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
    """A declaration as an institution would make it; requests are sealed, other verbs when asked to."""
    wants_seal = verb is Verb.REQUESTED if seal_it is None else seal_it
    return Declaration(
        Envelope(
            id=id or uuid4(),
            source=f"//{by}/tests",
            institution=by,
            verb=verb,
            referral=referral,
            need=need,
            time=time,
            auth_type=auth_type,
            auth_id="official-1",
        ),
        (details or (requested() if verb is Verb.REQUESTED else DETAILS[verb])),
        sealed(referral) if wants_seal else None,
    )


def record(made: Declaration, *, topic_of: str | None = None, offset: int = 0) -> Record:
    """The record an institution's publisher sends, as it would arrive."""
    record_key, headers, value = codec.encode(made)
    topic = topics.inbound(topic_of or made.envelope.institution)
    return Record(topic, 0, offset, int(NOW.timestamp() * 1000), record_key, tuple(headers), value)


def located(one: Record) -> Located:
    """The record with the ids of its cluster and topic."""
    return Located(one, "test-cluster", f"id-of-{one.topic}")
