"""The leaf: canonical JSON that says which record arrived where, and commits to its bytes. No personal data.

Keys are sorted ASCII, values are 64-bit integers and ASCII strings, absent fields are left out: these bytes are
RFC 8785's.

    c      commitment to the record: SHA-256(0x02 ‖ salt ‖ frame), hexadecimal
    case   referral · cs its leaf's number within the referral, from 1 · cp index of the referral's leaf before
    cause  event that caused this one · cl Kafka cluster id
    first  duplicate or conflict: index of the leaf that used the event id first
    flaw   code of why the record does not count, whatever its value says; then id, type, time and cause are absent, and
           case where it names none
    from   who alone may write there · is its leaf's number within that, from 1 · ip index of the leaf before
    id     event · type · time declared by the sender
    k      kind · kid key under which the record is sealed · kt Kafka's timestamp, milliseconds
    n      size of the record's frame, rounded up to a power of two
    o      offset · p partition · ti topic id · topic   ·   gap: o to `to`, and why; where a closed log has these
           offsets, log is its last checkpoint and kept how many of its leaves are still there
    v      2, the version of these fields and of how they are read from a record: a leaf is verified as it was read. 1:
           with a flaw there was never a case, and where there were several another one was named
           x SHA-256 of the sealed record, hexadecimal

What is declared, and Kafka's times, are claims. The order of leaves is proven; time is proven by who signs roots.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from contracts import facts, topics
from contracts.envelope import is_uuid

MAX_LEAF_BYTES = 8_192
VERSION = 2
_VERSIONS = (1, VERSION)
_SMALLEST_SIZE = 256


class Kind(StrEnum):
    """What a leaf records. Duplicates and conflicts use an event id again, with the same bytes or with others."""

    EVENT = "event"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    GAP = "gap"


class Malformed(ValueError):
    """These bytes are no leaf of this log."""


class Columns(NamedTuple):
    """What the table repeats of a leaf, for indexes and constraints. ``last_offset`` differs in a gap only.

    Ids are texts here and UUIDs in the table.
    """

    kind: str
    cluster: str
    topic: str
    topic_id: str
    partition: int
    record_offset: int
    last_offset: int
    owner: str
    owner_seq: int
    owner_prev: int | None
    referral: str | None
    referral_seq: int | None
    referral_prev: int | None
    event_id: str | None
    fact_id: str | None
    first_use: int | None


_ALWAYS: dict[str, type] = {
    "cl": str, "from": str, "is": int, "k": str, "o": int, "p": int, "ti": str, "topic": str, "v": int,
}  # fmt: skip
_OF_A_RECORD: dict[str, type] = {"c": str, "kid": str, "kt": int, "n": int, "x": str}
_OF_A_GAP: dict[str, type] = {"to": int, "why": str}
_SOMETIMES: dict[str, type] = {
    "case": str, "cause": str, "cp": int, "cs": int, "first": int, "flaw": str, "id": str, "ip": int, "kept": int,
    "log": str, "time": str, "type": str,
}  # fmt: skip

_FIELDS = {
    kind: (required.keys(), required | _SOMETIMES)
    for kind in Kind
    for required in (_ALWAYS | (_OF_A_GAP if kind is Kind.GAP else _OF_A_RECORD),)
}
"""Of each kind: the names that must be there, and the types of all that may be."""

_IDS = ("case", "cause", "id", "kid")

_DIGEST = b',"x":"%b"}'
_DIGEST_BYTES = len(_DIGEST % bytes(64))


def canonical(fields: Mapping[str, str | int | None]) -> bytes:
    """The bytes of these fields; those that are None are left out."""
    return orjson.dumps(
        {name: value for name, value in fields.items() if value is not None}, option=orjson.OPT_SORT_KEYS
    )


def complete(header: bytes, sealed_digest: bytes) -> bytes:
    """The leaf of a header (the canonical leaf without ``x``, which sorts last) and the sealed record's digest."""
    return header[:-1] + _DIGEST % sealed_digest.hex().encode()


def header(leaf: bytes) -> bytes:
    """The leaf of a record without ``x``: what the sealed record is bound to."""
    return leaf[:-_DIGEST_BYTES] + b"}"


def read(leaf: bytes) -> dict[str, Any]:
    """The fields of a leaf. Raises Malformed unless these are exactly the bytes that the log would write."""
    if len(leaf) > MAX_LEAF_BYTES:
        raise Malformed("it is too long")
    try:
        fields = orjson.loads(leaf)
    except ValueError:
        raise Malformed("it is not JSON") from None
    if not isinstance(fields, dict) or canonical(fields) != leaf or not leaf.isascii():
        raise Malformed("it is not canonical")
    if fields.get("v") not in _VERSIONS or fields.get("k") not in _FIELDS:
        raise Malformed("it is of another version or kind")
    required, allowed = _FIELDS[fields["k"]]
    if not required <= fields.keys() <= allowed.keys():
        raise Malformed("its fields are not those of its kind")
    if any(type(value) is not allowed[name] for name, value in fields.items()):
        raise Malformed("a field has another type")
    if not all(is_uuid(fields[name]) for name in _IDS if name in fields):
        raise Malformed("an id is no UUID")
    return fields


def columns(fields: Mapping[str, Any]) -> Columns:
    """What the table says of a leaf."""
    get = fields.get
    return Columns(
        fields["k"], fields["cl"], fields["topic"], fields["ti"], fields["p"], fields["o"], get("to", fields["o"]),
        fields["from"], fields["is"], get("ip"), get("case"), get("cs"), get("cp"), get("id"), _fact(fields),
        get("first"),
    )  # fmt: skip


def size_class(frame_bytes: int) -> int:
    """The published size of a record: the next power of two, at least 256, so that it tells little."""
    return max(_SMALLEST_SIZE, 1 << (frame_bytes - 1).bit_length())


def _fact(fields: Mapping[str, Any]) -> str | None:
    """The fact a leaf belongs to: itself, the one that a receipt tells of, or the answer to a declaration."""
    if fields["topic"] == topics.FACTS:
        return fields.get("id")
    if fields["topic"] == topics.ALERTS:
        return fields.get("cause")
    if fields["k"] == Kind.GAP:
        return None
    return str(facts.fact_id(fields["cl"], fields["ti"], fields["p"], fields["o"], 0))
