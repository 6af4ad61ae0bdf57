"""What Ruta decided about a record: one model per kind of fact. Codes, ids, times and digests; never free text.

A fact is a CloudEvents record too: ``ce_id`` is the fact id, ``ce_type`` is ``co.ruta.fact.<kind>.v1``,
``ce_subject`` the referral if there is one, ``ce_causationid`` the declaration's id if it could be read.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from contracts import envelope as ce
from contracts.applied import Applied, AppliedFact, Cause
from contracts.envelope import Flaw, Header, timestamp
from contracts.model import Model
from contracts.values import Moment, Problem, Refusal, State, Verb

TYPE_PREFIX = "co.ruta.fact."
SEALED_TYPE = "co.ruta.sealed.v1"
"""The record behind a fact in its recipient's ``out`` topic: the sealed part, value = the JWE as JSON."""

SOURCE = "//ruta/referrals"
FACT_NAMESPACE = UUID("6d0e3cbb-5a8f-5d6e-9d4c-0a4f3f1c7e21")
"""UUIDv5 namespace of fact ids; fixed for ever, replays depend on it."""

MAX_FACT_BYTES = 8_192

RELEASED = 1
"""The ordinal of the outcome that replaces a provisional one, which has the ordinal 0."""

_SPECVERSION, _CONTENT_TYPE = ce.SPECVERSION.encode(), ce.CONTENT_TYPE.encode()


Settled = Literal["applied", "refused"]
"""The outcomes that use an event id up: what comes under it again is a duplicate or a conflict."""

Outcome = Settled | Literal["duplicate", "conflict", "quarantined", "parked"]


class RefusedFact(Model):
    """A readable declaration that may not take effect: ``reason`` says why; ``state`` is where the referral stands.

    ``existing`` is the referral that is meant where the same was asked before. Both are told to parties only.
    """

    kind: Literal["refused"] = "refused"
    cause: Cause
    verb: Verb
    reason: Refusal
    state: State | None = None
    existing: UUID | None = None
    received_at: Moment
    declared_at: Moment


class DuplicateFact(Model):
    """The same declaration again (same owner, id and bytes); ``first`` is the fact that answered it."""

    kind: Literal["duplicate"] = "duplicate"
    cause: Cause
    first: UUID
    first_outcome: Settled
    received_at: Moment


class ConflictFact(Model):
    """An id used again for other bytes. Nothing changed; ``first`` is the fact of the first use."""

    kind: Literal["conflict"] = "conflict"
    cause: Cause
    first: UUID
    received_at: Moment


class QuarantinedFact(Model):
    """A record that is no declaration of its topic's owner; ``problem`` and ``detail`` say what to mend."""

    kind: Literal["quarantined"] = "quarantined"
    cause: Cause
    problem: Problem
    detail: Annotated[str, StringConstraints(max_length=200)] = ""
    received_at: Moment


class ParkedFact(Model):
    """A provisional outcome: the declaration waits, in order, behind one of its referral on which our rules failed.

    The fact that decides it comes when the failure is mended, and says ``released`` in its cause. Nothing is to be sent
    again.
    """

    kind: Literal["parked"] = "parked"
    cause: Cause
    verb: Verb
    received_at: Moment
    declared_at: Moment


FactData = AppliedFact | RefusedFact | DuplicateFact | ConflictFact | QuarantinedFact | ParkedFact

_DATA: TypeAdapter[FactData] = TypeAdapter(Annotated[FactData, Field(discriminator="kind")])


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact with its identity. ``referral`` and ``need`` are None where the record named none that could be read."""

    id: UUID
    time: datetime
    referral: UUID | None
    need: UUID | None
    data: FactData

    @property
    def outcome(self) -> Outcome:
        """What became of the record."""
        return "applied" if isinstance(self.data, Applied) else self.data.kind

    @property
    def answer(self) -> bool:
        """Whether it is the outcome of its record, the first of the facts that the record causes.

        A record that waited behind a failure of ours has two: the provisional one first.
        """
        cause = self.data.cause
        return self.id == fact_id(
            cause.cluster, cause.topic_id, cause.partition, cause.offset, RELEASED if cause.released else 0
        )

    @property
    def provisional(self) -> bool:
        """Whether the record waits for a mend of ours, and another outcome will follow."""
        data = self.data
        return isinstance(data, ParkedFact) or (
            isinstance(data, QuarantinedFact) and data.problem is Problem.INTERNAL_ERROR
        )

    @property
    def key(self) -> bytes:
        """The record key: the referral, else the owner of the topic the record came from."""
        return str(self.referral or self.data.cause.owner).encode()

    def headers(self) -> list[tuple[str, bytes]]:
        """The CloudEvents headers of the fact's record."""
        return headers(
            self.id, f"{TYPE_PREFIX}{self.data.kind}.v1", self.time, self.key.decode(),
            self.referral, self.need, self.data.cause.event,
        )  # fmt: skip

    def value(self) -> bytes:
        """The record's value. Raises ValueError beyond MAX_FACT_BYTES."""
        value = self.data.model_dump_json(exclude_none=True).encode()
        if len(value) > MAX_FACT_BYTES:
            raise ValueError("a fact must stay bounded")
        return value


def headers(
    id: UUID,  # noqa: A002 - CloudEvents' own name
    type: str,  # noqa: A002
    time: datetime,
    partition_key: str,
    referral: UUID | None,
    need: UUID | None,
    causation: UUID | None,
    source: str = SOURCE,
) -> list[tuple[str, bytes]]:
    """The CloudEvents headers of a record that Ruta writes; ``source`` is the service that writes it."""
    found = [
        ("ce_specversion", _SPECVERSION),
        ("ce_id", str(id).encode()),
        ("ce_source", source.encode()),
        ("ce_type", type.encode()),
        ("ce_time", timestamp(time).encode()),
        ("ce_partitionkey", partition_key.encode()),
        ("content-type", _CONTENT_TYPE),
    ]
    if referral:
        found.append(("ce_subject", str(referral).encode()))
    if need:
        found.append(("ce_correlationid", str(need).encode()))
    if causation:
        found.append(("ce_causationid", str(causation).encode()))
    return found


def decode(record_headers: tuple[Header, ...], value: bytes | None) -> Fact | Flaw:
    """Read a record of the facts topic or of an ``out`` topic. Unknown kinds are a Flaw: the reader is too old."""
    texts = ce.read_headers(record_headers)
    if isinstance(texts, Flaw):
        return texts
    time = ce.read_time(texts.get("ce_time", ""))
    if time is None or not texts.get("ce_id"):
        return Flaw(Problem.HEADER_MISSING, "ce_id, ce_time")
    try:
        subject, need = texts.get("ce_subject"), texts.get("ce_correlationid")
        return Fact(
            id=UUID(texts["ce_id"]),
            time=time,
            referral=UUID(subject) if subject else None,
            need=UUID(need) if need else None,
            data=read(value or b""),
        )
    except ValidationError as error:
        return Flaw(Problem.FIELD_INVALID, error.errors(include_input=False, include_url=False)[0]["type"])
    except ValueError:
        return Flaw(Problem.HEADER_INVALID, "ce_id, ce_subject or ce_correlationid")


def read(value: bytes) -> FactData:
    """The data of a stored fact. Raises ValueError for a kind that this version does not know."""
    return _DATA.validate_json(value, extra="ignore")


def fact_id(cluster: str, topic_id: str, partition: int, offset: int, ordinal: int) -> UUID:
    """The id of the ``ordinal``-th fact that the record at these coordinates causes: the same at every replay."""
    return name_id(FACT_NAMESPACE, f"{cluster}/{topic_id}/{partition}/{offset}/{ordinal}")


def name_id(namespace: UUID, name: str) -> UUID:
    """UUIDv5 (RFC 9562 section 5.5) of an ASCII name. ``uuid.uuid5`` in half the time: it runs for every fact."""
    raw = bytearray(hashlib.sha1(namespace.bytes + name.encode(), usedforsecurity=False).digest()[:16])
    raw[6] = raw[6] & 0x0F | 0x50
    raw[8] = raw[8] & 0x3F | 0x80
    return UUID(bytes=bytes(raw))
