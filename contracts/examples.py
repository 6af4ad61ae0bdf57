"""Golden examples of everything that travels, as structured CloudEvents. Committed in ``examples/``.

They tell one story (``story.py``). The sealed parts (``examples/sealing/``) are real ones, made once, since sealing
draws random numbers, with the public keys in ``examples/sealing/keys.json``. Their private halves are published with
the tests: they protect nothing.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

from contracts import codec, facts, topics
from contracts.applied import APPLIED, Actor, Applied, Cause, ConflictOpenedFact, StopDutyOpenedFact
from contracts.codec import Declaration, Record, sealed_bytes
from contracts.declarations import BODIES
from contracts.envelope import Envelope
from contracts.facts import Fact
from contracts.receipts import AlertChannel, DeliveryProblem, Receipt, ReceiptStatus
from contracts.sealing import Sealed
from contracts.story import (
    BY,
    CONFLICT,
    DETAILS,
    MOVES,
    NEED,
    OVERSIGHT,
    RECIPIENT,
    REFERRAL,
    SEALED,
    SENDER,
    STOP_DUTY,
)
from contracts.values import AuthType, Problem, Refusal, State, Verb

FOLDER = Path(__file__).parent / "examples"
CONTENT = {"nombre": "Persona de Ejemplo", "relato": "Texto inventado para los ejemplos del contrato."}
"""What the sealed part holds."""

_DAY = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
_CLUSTER, _TOPIC_ID = "ejemplo-de-cluster", "ejemplo-de-topico"


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
    place = list(DETAILS).index(verb)
    institution = BY.get(verb, RECIPIENT)
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
    return Declaration(head, DETAILS[verb], _sealed_of(verb))


def example_facts() -> Iterable[Fact]:
    """One fact of every kind."""
    requested = _applied(Verb.REQUESTED)
    yield requested
    yield from (_applied(verb) for verb in BODIES if verb is not Verb.REQUESTED)
    yield from _consequences()
    asked, again = declaration(Verb.REQUESTED), declaration(Verb.ACCEPTED)
    received_at = _DAY + timedelta(days=5)
    refused = facts.RefusedFact(
        cause=_cause(again, 90), verb=Verb.ACCEPTED, reason=Refusal.WRONG_STATE, state=State.CLOSED,
        received_at=received_at, declared_at=again.envelope.time,
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
    parked = facts.ParkedFact(
        cause=_cause(again, 94), verb=Verb.ACCEPTED, received_at=received_at, declared_at=again.envelope.time
    )
    yield _fact(parked, REFERRAL)


def _consequences() -> Iterable[Fact]:
    """A refusal that opened a conflict instead, and the stop duty that followed a withdrawal."""
    refused, withdrawn = (_applied(verb).data for verb in (Verb.REJECTED, Verb.WITHDRAWN))
    conflict = {name: getattr(refused, name) for name in Applied.model_fields} | {
        "cause": _cause(declaration(Verb.REJECTED), 80),
        "state": State.RECEIVED,
        "told": (OVERSIGHT, SENDER),
    }
    yield _fact(ConflictOpenedFact(**conflict, details=CONFLICT), REFERRAL)
    duty = {name: getattr(withdrawn, name) for name in Applied.model_fields} | {
        "version": 4,
        "previous": State.WITHDRAWN,
    }
    yield _fact(StopDutyOpenedFact(**duty, details=STOP_DUTY), REFERRAL, ordinal=1)


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
def sealed_part(name: str = "sealed") -> Sealed:
    """A committed sealed part; ``child`` is that of the redirection. Made anew when the sealing changes."""
    return Sealed.model_validate_json((FOLDER / "sealing" / f"{name}.json").read_bytes())


def _sealed_of(verb: Verb) -> Sealed | None:
    if verb is Verb.REDIRECTED:
        return sealed_part("child")
    return sealed_part() if verb in SEALED else None


def _applied(verb: Verb) -> Fact:
    made = declaration(verb)
    previous, state, version = MOVES[verb]
    cause = _cause(made, list(DETAILS).index(verb))
    data = APPLIED[verb](
        cause=cause,
        actor=Actor(type=made.envelope.auth_type, id=made.envelope.auth_id),
        version=version,
        state=state,
        previous=previous,
        sender=SENDER,
        recipient=RECIPIENT,
        received_at=made.envelope.time + timedelta(seconds=1),
        declared_at=made.envelope.time,
        # The sealed part of a redirection goes with its child's fact.
        sealed_sha256=sha256(sealed_bytes(made.sealed)).hexdigest()
        if made.sealed and verb is not Verb.REDIRECTED
        else None,
        details=made.details,  # type: ignore[arg-type]
    )
    return _fact(data, REFERRAL)


def _fact(data: facts.FactData, referral: UUID | None, ordinal: int = 0) -> Fact:
    cause = data.cause
    fact_id = facts.fact_id(cause.cluster, cause.topic_id, cause.partition, cause.offset, ordinal)
    return Fact(fact_id, data.received_at, referral, NEED if referral else None, data)


def _cause(made: Declaration, offset: int) -> Cause:
    key, headers, value = codec.encode(made)
    topic = topics.inbound(made.envelope.institution)
    record = Record(topic, 0, offset, 0, key, tuple(headers), value)
    return Cause(
        cluster=_CLUSTER, topic=topic, topic_id=_TOPIC_ID, partition=0, offset=offset,
        owner=made.envelope.institution, event=made.envelope.id, sha256=codec.digest(record).hex(),
    )  # fmt: skip
