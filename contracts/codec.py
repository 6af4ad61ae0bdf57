"""From the bytes of a record to a declaration and back. ``decode`` is total: a Declaration or a Flaw."""

import hashlib
import struct
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import NamedTuple
from uuid import UUID

from pydantic import BaseModel, ValidationError

from contracts import envelope as ce
from contracts.declarations import BODIES, Details, Redirected
from contracts.envelope import Envelope, Flaw, Header
from contracts.sealing import Sealed
from contracts.values import Problem

MAX_VALUE_BYTES = 65_536
"""A declaration's value, checked before parsing: beyond it a parser can be made to work for seconds."""

MAX_PARTS = 200
"""A declaration's fields and list entries, counted by commas before parsing: twice what any verb can carry. A list of
20,000 wrong entries kept the parser busy for as long as 450 proper declarations."""

_NULL = b"\xff\xff\xff\xff"
_length = struct.Struct(">I").pack

MAX_AHEAD = timedelta(minutes=5)
"""How far the sender's clock may be ahead of the broker's."""

MAX_BEHIND = timedelta(days=366)
"""How late something may be declared; both times are kept, so lateness shows."""


@dataclass(frozen=True, slots=True)
class Record:
    """A Kafka record as it arrived. ``timestamp`` is the broker's time of receipt in milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    headers: tuple[Header, ...]
    value: bytes | None

    @property
    def received_at(self) -> datetime:
        """The broker's time of receipt, UTC."""
        return datetime.fromtimestamp(self.timestamp / 1000, UTC)


@dataclass(frozen=True, slots=True)
class Located:
    """A record with the ids of its cluster and topic, which make its coordinates unique for ever."""

    record: Record
    cluster: str
    topic_id: str


@dataclass(frozen=True, slots=True)
class Declaration:
    """What an institution says happened."""

    envelope: Envelope
    details: Details
    sealed: Sealed | None = None


def decode(record: Record) -> Declaration | Flaw:
    """Read a record of an inbound topic. Whether its author may say this is not judged here."""
    head, value = head_of(record), record.value or b""
    if isinstance(head, Flaw):
        return head
    if not -MAX_BEHIND <= head.time - record.received_at <= MAX_AHEAD:
        return Flaw(Problem.TIME_OUT_OF_BOUNDS, "ce_time", head)
    if value.count(b",") >= MAX_PARTS:
        return Flaw(Problem.FIELD_INVALID, "value: too_many_parts", head)
    if b"\\u0000" in value:
        return Flaw(Problem.JSON_FORBIDDEN_CHARACTER, "U+0000", head)
    model = BODIES[head.verb]
    try:
        body = model.model_validate_json(value)
    except ValidationError as error:
        return replace(flaw_of(error, model), envelope=head)
    if body.sealed is not None and not body.sealed.bound_to(sealed_for(head, body.details)):  # type: ignore[arg-type]
        return Flaw(Problem.SEALED_NOT_BOUND, "sealed.aad", head)
    return Declaration(head, body.details, body.sealed)  # type: ignore[arg-type]


def head_of(record: Record) -> Envelope | Flaw:
    """What a record says without its value being read: its envelope, or the first thing wrong with its headers, its key
    or its size. The log, which is blind to the content, judges this much and no more."""
    head = ce.read(record.headers)
    if isinstance(head, Flaw):
        return head
    if record.key is None or len(record.key) != 36:
        return Flaw(Problem.KEY_INVALID, envelope=head)
    if record.key != str(head.referral).encode():
        return Flaw(Problem.KEY_NOT_SUBJECT, "key", head)
    if not record.value:
        return Flaw(Problem.EMPTY, envelope=head)
    if len(record.value) > MAX_VALUE_BYTES:
        return Flaw(Problem.TOO_LARGE, f"at most {MAX_VALUE_BYTES} bytes", head)
    return head


def encode(declaration: Declaration) -> tuple[bytes, list[tuple[str, bytes]], bytes]:
    """Key, headers and value of a declaration, ready to be sent. Raises ValidationError for what its verb cannot be."""
    # Left out where there is none: a verb that must have it then says that it is missing.
    sealed = {"sealed": declaration.sealed} if declaration.sealed else {}
    body = BODIES[declaration.envelope.verb](details=declaration.details, **sealed)
    value = body.model_dump_json(exclude_none=True).encode()
    return str(declaration.envelope.referral).encode(), declaration.envelope.headers(), value


def sealed_for(head: Envelope, details: Details) -> UUID:
    """The referral that a declaration's sealed part is bound to: of a redirection, the child that it opens."""
    return details.child if isinstance(details, Redirected) else head.referral


def digest(record: Record) -> bytes:
    """SHA-256 over key, ``ce_*`` headers and value: what makes two records with one id the same declaration.

    Headers are sorted: a client that keeps them in a map may send them in another order the next time.
    """
    return framed(record).digest


def frame(key: bytes | None, headers: tuple[Header, ...], value: bytes | None) -> bytes:
    """One unambiguous byte string of a record: every part behind its length (big-endian uint32; null is 2³²-1).

    Headers keep the sender's order; names are UTF-8 with undecodable bytes kept as they arrived.
    """
    return _joined(_part(key), [_header(*header) for header in headers], _part(value))


class Framed(NamedTuple):
    """A record's ``frame`` and its ``digest``."""

    frame: bytes
    digest: bytes


def framed(record: Record) -> Framed:
    """Both at once: every part is put behind its length once only."""
    key, value = _part(record.key), _part(record.value)
    headers = [_header(*header) for header in record.headers]
    attributes = [
        (name, content or b"", content is None, part)
        for (name, content), part in zip(record.headers, headers, strict=True)
        if name.startswith("ce_")
    ]
    attributes.sort()
    same = _joined(key, [part for *_, part in attributes], value)
    return Framed(_joined(key, headers, value), hashlib.sha256(same).digest())


def _joined(key: bytes, headers: list[bytes], value: bytes) -> bytes:
    return b"".join((key, _COUNT, _length(len(headers)), *headers, value))


def _header(name: str, content: bytes | None) -> bytes:
    return _name(name) + _part(content)


@lru_cache(maxsize=256)
def _name(name: str) -> bytes:
    return _part(name.encode("utf-8", "surrogateescape"))


def _part(content: bytes | None) -> bytes:
    return _NULL if content is None else _length(len(content)) + content


_COUNT = _length(4)
"""The number of headers is a part of four bytes."""


def flaw_of(error: ValidationError, model: type[BaseModel]) -> Flaw:
    """The first validation error as a Flaw that names the field by our own names only."""
    first = error.errors(include_input=False, include_context=False, include_url=False)[0]
    if first["type"] == "json_invalid":
        return Flaw(Problem.JSON_INVALID)
    known = _names(model)
    path = [str(part) if isinstance(part, int) or part in known else "(unknown field)" for part in first["loc"]]
    return Flaw(Problem.FIELD_INVALID, f"{'.'.join(path) or 'value'}: {first['type']}"[:200])


@cache
def _names(model: type[BaseModel]) -> frozenset[str]:
    schema = model.model_json_schema()
    parts = [schema, *schema.get("$defs", {}).values()]
    return frozenset(name for part in parts for name in part.get("properties", {}))


def sealed_bytes(sealed: Sealed) -> bytes:
    """The JSON of a sealed part as recipients get it; facts carry the SHA-256 of exactly these bytes."""
    return sealed.model_dump_json(exclude_none=True).encode()
