"""What must hold for every batch and every leaf, each as a function that raises Misfit. Pure."""

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from contracts import codec, topics
from contracts.codec import Record
from services.audit import leaf as leaves
from services.audit import note, reading, seal
from services.audit.framing import Unreadable, unframe
from services.audit.leaf import Kind
from services.audit.note import Verifier
from services.audit.seal import Key

_SAID = {
    "case": "referral", "cause": "cause", "flaw": "flaw", "from": "owner", "id": "event", "time": "time",
    "type": "type",
}  # fmt: skip
"""What a leaf repeats of its record, by the name that ``reading.Arrival`` gives it."""

Span = tuple[str, str, int, int, int]
"""Cluster, topic id, partition, first offset, next offset."""


class Check(StrEnum):
    """Everything that is compared, by the name that a verdict gives it."""

    BATCHES = "batches"
    ENTRIES = "entries"
    FORM = "form"
    COLUMNS = "columns"
    SEALED = "sealed"
    FIRST_USE = "first-use"
    TILES = "tiles"
    ROOT = "root"
    SPANS = "spans"
    CHECKPOINT = "checkpoint"
    OFFSETS = "offsets"
    OWNERS = "owners"
    REFERRALS = "referrals"
    KEYS = "keys"
    COMMITMENT = "commitment"
    CONTENT = "content"
    SEEN = "seen"
    PREDECESSOR = "predecessor"


class Misfit(Exception):
    """The first thing that does not fit: which check, at which leaf (or size), and in words."""

    def __init__(self, check: Check, index: int, what: str) -> None:
        super().__init__(f"leaf {index}: {what}")
        self.check, self.index, self.what = check, index, what


def form(index: int, row: Mapping[str, Any]) -> dict[str, Any]:
    """The leaf's fields: canonical bytes, columns that say the same, and the topic's owner as the one it is from."""
    try:
        fields = leaves.read(row["leaf"])
    except leaves.Malformed as error:
        raise Misfit(Check.FORM, index, f"its bytes are no leaf: {error}") from None
    for name, value in leaves.columns(fields)._asdict().items():
        if row[name] != value and (row[name] is None or str(row[name]) != value):
            raise Misfit(Check.COLUMNS, index, f"column {name} does not say what the leaf says")
    if reading.owner(fields["topic"]) not in (fields["from"], topics.DESK):
        raise Misfit(Check.FORM, index, "it is from somebody else than the owner of its topic")
    return fields


def sealed(index: int, row: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
    """The sealed record beside the leaf is the one whose digest the leaf holds."""
    if fields["k"] == Kind.GAP:
        if row["content"] is not None:
            raise Misfit(Check.SEALED, index, "a gap has a sealed record")
    elif row["content"] is None:
        raise Misfit(Check.SEALED, index, "its sealed record is missing")
    elif hashlib.sha256(row["content"]).hexdigest() != fields["x"]:
        raise Misfit(Check.SEALED, index, "its sealed record is another one")


def first_use(index: int, row: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
    """An event is the first to use its id; a duplicate or a conflict names who was."""
    if "id" not in fields:
        return
    named = index if fields["k"] == Kind.EVENT else fields.get("first")
    if row["used_at"] is None or row["used_at"] != named:
        raise Misfit(Check.FIRST_USE, index, "its event id was used first by another leaf than it says")


def opened(index: int, row: Mapping[str, Any], fields: Mapping[str, Any], key: Key) -> None:
    """The sealed record opens, is the one committed to, and read again it says what the leaf says of it."""
    place = seal.coordinates(fields["cl"], fields["ti"], fields["p"], fields["o"])
    salt, nonce = seal.salt_and_nonce(key, place)
    try:
        found_salt, frame = seal.unseal(key, nonce, row["content"], leaves.header(row["leaf"]))
    except seal.CannotOpen:
        raise Misfit(Check.COMMITMENT, index, "its sealed record does not open with its key") from None
    if found_salt != salt or seal.commitment(salt, frame).hex() != fields["c"]:
        raise Misfit(Check.COMMITMENT, index, "its commitment is to another record")
    if leaves.size_class(len(frame)) != fields["n"]:
        raise Misfit(Check.CONTENT, index, "its record has another size")
    try:
        record = Record(fields["topic"], fields["p"], fields["o"], fields["kt"], *unframe(frame))
    except Unreadable:
        raise Misfit(Check.CONTENT, index, "what was sealed is no record") from None
    found = reading.read(record, fields["cl"], fields["ti"])
    for name, attribute in _SAID.items():
        if fields.get(name) != getattr(found, attribute) and not _read_otherwise(name, fields, found.flaw):
            raise Misfit(Check.CONTENT, index, f"it does not say what its record says ({name})")
    if "id" not in fields:
        return
    same = seal.sameness(key, codec.digest(record)) == row["used_same"]
    if same is (fields["k"] == Kind.CONFLICT):
        raise Misfit(Check.CONTENT, index, "its record does not relate to the first use of its id as it says")


def _read_otherwise(name: str, fields: Mapping[str, Any], flaw: str | None) -> bool:
    """Whether an older version may have read this otherwise; which records have a flaw was the same then."""
    return fields["v"] == 1 and name in ("flaw", "case") and "flaw" in fields and flaw is not None


def spans(first_index: int, found: Mapping[tuple[str, str, int], tuple[int, int]], stored: list[Span]) -> None:
    """A batch says that it took exactly what its leaves stand for."""
    if sorted((*stream, *span) for stream, span in found.items()) != sorted(stored):
        raise Misfit(Check.SPANS, first_index, "its batch took other offsets than it says")


def checkpoint(size: int, root: bytes, signed: str | None, verifier: Verifier) -> None:
    """The tree of this size is signed by the log's key, under its origin."""
    if signed is None:
        raise Misfit(Check.CHECKPOINT, size - 1, f"the checkpoint of size {size} is missing")
    try:
        found = note.read_checkpoint(note.read(signed, [verifier]))
    except note.Unacceptable as error:
        raise Misfit(Check.CHECKPOINT, size - 1, f"the checkpoint of size {size} is not acceptable: {error}") from None
    if found != note.Checkpoint(verifier.name, size, root):
        raise Misfit(Check.CHECKPOINT, size - 1, f"the checkpoint of size {size} is about another tree")
