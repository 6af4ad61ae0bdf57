"""Golden examples of everything that travels, as structured CloudEvents. Committed in ``examples/``.

One story with invented ids: the Personería of Girón asks the ICBF to protect a child, and what may come of it. The
sealed part (``examples/sealing/sealed.json``) is a real one, made once, since sealing draws random numbers, with the
public keys in ``examples/sealing/keys.json``. Their private halves are published with the tests: they protect nothing.
"""

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

from contracts import codec, declarations, facts, topics
from contracts.codec import Declaration, Record, sealed_bytes
from contracts.declarations import BODIES, Details, LegalBasis, Requested, Territories
from contracts.envelope import Envelope
from contracts.facts import Actor, Cause, Fact
from contracts.receipts import AlertChannel, DeliveryProblem, Receipt, ReceiptStatus
from contracts.sealing import Sealed
from contracts.values import (
    AuthType,
    Basis,
    DocumentType,
    FirstAction,
    Flag,
    NeedResult,
    Outcome,
    Problem,
    Refusal,
    RefusalReason,
    Service,
    State,
    Urgency,
    Verb,
    WithdrawalReason,
)

FOLDER = Path(__file__).parent / "examples"
SENDER, RECIPIENT = "personeria-giron", "icbf-santander"
REFERRAL = UUID("0199f3c4-0000-7000-8000-000000000001")
NEED = UUID("0199f3c4-0000-7000-8000-000000000002")
PERSON = UUID("5d1c2f6e-8b1a-4c55-9a52-0d6f7a3b1e10")
CONTENT = {"nombre": "Persona de Ejemplo", "relato": "Texto inventado para los ejemplos del contrato."}
"""What the sealed part holds."""

_DAY = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
_CLUSTER, _TOPIC_ID = "ejemplo-de-cluster", "ejemplo-de-topico"

_DETAILS: dict[Verb, Details] = {
    Verb.REQUESTED: Requested(
        recipient=RECIPIENT,
        service=Service.CHILD_UNACCOMPANIED,
        urgency=Urgency.U1,
        territories=Territories(residence="68307", fact="68307", service="68307"),
        person=PERSON,
        flags=(Flag.CHILD, Flag.UNACCOMPANIED),
        document_types=(DocumentType.MS,),
        legal_basis=LegalBasis(basis=Basis.PUBLIC_FUNCTION, norm="Ley-1098-2006-art-52"),
    ),
    Verb.RECEIVED: declarations.Received(),
    Verb.ACCEPTED: declarations.Accepted(unit="centro-zonal-bucaramanga-sur", planned_on=date(2026, 11, 24)),
    Verb.STARTED: declarations.Started(first_action=FirstAction.RIGHTS_VERIFICATION, on=date(2026, 11, 24)),
    Verb.COMPLETED: declarations.Completed(outcome=Outcome.MEASURE_ADOPTED, on=date(2026, 11, 26)),
    Verb.REJECTED: declarations.Rejected(reason=RefusalReason.OUTSIDE_TERRITORY),
    Verb.RETURNED: declarations.Returned(reason=RefusalReason.INSUFFICIENT_INFORMATION),
    Verb.WITHDRAWN: declarations.Withdrawn(reason=WithdrawalReason.SENDER_ERROR),
    Verb.CLOSED: declarations.Closed(result=NeedResult.MET),
}

_MOVES: dict[Verb, tuple[State | None, State, int]] = {
    Verb.REQUESTED: (None, State.REQUESTED, 1),
    Verb.RECEIVED: (State.REQUESTED, State.RECEIVED, 2),
    Verb.ACCEPTED: (State.RECEIVED, State.ACCEPTED, 3),
    Verb.STARTED: (State.ACCEPTED, State.IN_PROGRESS, 4),
    Verb.COMPLETED: (State.IN_PROGRESS, State.COMPLETED, 5),
    Verb.REJECTED: (State.RECEIVED, State.REJECTED, 3),
    Verb.RETURNED: (State.RECEIVED, State.RETURNED, 3),
    Verb.WITHDRAWN: (State.RECEIVED, State.WITHDRAWN, 3),
    Verb.CLOSED: (State.COMPLETED, State.CLOSED, 6),
}
"""From, to and version of the example of each verb; the last four tell other ends of the same story."""

_BY_SENDER = (Verb.REQUESTED, Verb.WITHDRAWN, Verb.CLOSED)


def examples() -> dict[str, dict[str, Any]]:
    """All examples by name (``referral.requested``, ``fact.refused``, ``sealed``), each a structured CloudEvent."""
    made = {}
    for verb in BODIES:
        _, headers, value = codec.encode(declaration(verb))
        made[f"referral.{verb}"] = structured(headers, value)
    for fact in example_facts():
        made[f"fact.{fact.data.kind}"] = structured(fact.headers(), fact.value())
    made["sealed"] = structured(*_sealed_record())
    for receipt in example_receipts():
        made[f"receipt.{receipt.status}"] = structured(receipt.headers(), receipt.value())
    return made


def declaration(verb: Verb) -> Declaration:
    """The example of a verb. Raises KeyError for a verb that has none."""
    place = list(_DETAILS).index(verb)
    institution = SENDER if verb in _BY_SENDER else RECIPIENT
    head = Envelope(
        id=UUID(f"0199f3c4-0000-7000-8000-0000000001{place:02d}"),
        source=f"//{institution}/ejemplo",
        institution=institution,
        verb=verb,
        referral=REFERRAL,
        need=NEED,
        time=_DAY + timedelta(hours=place),
        auth_type=AuthType.USER,
        auth_id="funcionario-17",
    )
    return Declaration(head, _DETAILS[verb], sealed_part() if verb is Verb.REQUESTED else None)


def example_facts() -> Iterable[Fact]:
    """One fact of every kind."""
    requested = _applied(Verb.REQUESTED)
    yield requested
    yield from (_applied(verb) for verb in BODIES if verb is not Verb.REQUESTED)
    asked, again = declaration(Verb.REQUESTED), declaration(Verb.ACCEPTED)
    received_at = _DAY + timedelta(days=5)
    refused = facts.RefusedFact(
        cause=_cause(again, 90), verb=Verb.ACCEPTED, reason=Refusal.WRONG_STATE, state=State.CLOSED,
        received_at=received_at,
    )  # fmt: skip
    yield _fact(refused, REFERRAL)
    duplicate = facts.DuplicateFact(
        cause=_cause(asked, 91), first=requested.id, first_outcome="applied", received_at=received_at
    )
    yield _fact(duplicate, REFERRAL)
    yield _fact(facts.ConflictFact(cause=_cause(asked, 92), first=requested.id, received_at=received_at), REFERRAL)
    quarantined = facts.QuarantinedFact(
        cause=_cause(asked, 93), problem=Problem.FIELD_INVALID, detail="details.service: enum", received_at=received_at
    )
    yield _fact(quarantined, None)


def example_receipts() -> Iterable[Receipt]:
    """One receipt of every status, all of the alert that tells the ICBF of the request."""
    told: list[tuple[AlertChannel, ReceiptStatus, int, int | None, DeliveryProblem | None]] = [
        (AlertChannel.INBOX, ReceiptStatus.DELIVERED, 0, None, None),
        (AlertChannel.INBOX, ReceiptStatus.OPENED, 0, None, None),
        (AlertChannel.EMAIL, ReceiptStatus.FAILED, 1, 451, DeliveryProblem.DEFERRED),
        (AlertChannel.EMAIL, ReceiptStatus.SENT, 2, 250, None),
        (AlertChannel.EMAIL, ReceiptStatus.UNDELIVERABLE, 1, 550, DeliveryProblem.REFUSED),
    ]
    fact = _applied(Verb.REQUESTED)
    for place, (channel, status, attempt, code, problem) in enumerate(told):
        yield Receipt(
            alert=UUID(f"0199f3c4-0000-7000-8000-0000000002{list(AlertChannel).index(channel):02d}"),
            fact=fact.id,
            referral=REFERRAL,
            recipient=RECIPIENT,
            channel=channel,
            status=status,
            attempt=attempt,
            code=code,
            problem=problem,
            at=fact.time + timedelta(seconds=place),
        )


def _sealed_record() -> tuple[list[tuple[str, bytes]], bytes]:
    fact = _applied(Verb.REQUESTED)
    id = facts.name_id(facts.FACT_NAMESPACE, f"sealed/{fact.id}")  # noqa: A001
    headers = facts.headers(id, facts.SEALED_TYPE, fact.time, str(REFERRAL), REFERRAL, NEED, fact.id)
    return headers, sealed_bytes(sealed_part())


def structured(headers: Iterable[tuple[str, bytes]], value: bytes) -> dict[str, Any]:
    """The same event in CloudEvents' structured mode: attributes and ``data`` in one object."""
    attributes = {name.removeprefix("ce_"): text.decode() for name, text in headers}
    attributes["datacontenttype"] = attributes.pop("content-type")
    return {**attributes, "data": json.loads(value)}


@cache
def sealed_part() -> Sealed:
    """The committed sealed part. Made anew with ``Overlay.seal`` when the sealing changes."""
    return Sealed.model_validate_json((FOLDER / "sealing" / "sealed.json").read_bytes())


def _applied(verb: Verb) -> Fact:
    made = declaration(verb)
    previous, state, version = _MOVES[verb]
    cause = _cause(made, list(_DETAILS).index(verb))
    data = facts.APPLIED[verb](
        cause=cause,
        actor=Actor(type=made.envelope.auth_type, id=made.envelope.auth_id),
        version=version,
        state=state,
        previous=previous,
        sender=SENDER,
        recipient=RECIPIENT,
        received_at=made.envelope.time + timedelta(seconds=1),
        declared_at=made.envelope.time,
        sealed_sha256=sha256(sealed_bytes(made.sealed)).hexdigest() if made.sealed else None,
        details=made.details,  # type: ignore[arg-type]
    )
    return _fact(data, REFERRAL)


def _fact(data: facts.FactData, referral: UUID | None) -> Fact:
    cause = data.cause
    fact_id = facts.fact_id(cause.cluster, cause.topic_id, cause.partition, cause.offset, 0)
    return Fact(fact_id, data.received_at, referral, NEED if referral else None, data)


def _cause(made: Declaration, offset: int) -> Cause:
    key, headers, value = codec.encode(made)
    topic = topics.inbound(made.envelope.institution)
    record = Record(topic, 0, offset, 0, key, tuple(headers), value)
    return Cause(
        cluster=_CLUSTER, topic=topic, topic_id=_TOPIC_ID, partition=0, offset=offset,
        owner=made.envelope.institution, event=made.envelope.id, sha256=codec.digest(record).hex(),
    )  # fmt: skip
