"""A leaf as people read it: what it records, and each of its fields in words. Pure."""

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from contracts import declarations, facts, moments, receipts
from contracts.labels import label
from contracts.receipts import ReceiptStatus
from contracts.values import Problem, Verb
from services.audit.leaf import Kind
from services.audit.reading import CLOSED, LAST_MILLISECOND

CATALOGUE = Path(__file__).parent / "locales" / "es_CO.toml"

_TYPE = ".v"
"""What stands between a type's name and its version."""


class Link(Enum):
    """Where a field leads: to another leaf, or to all leaves about a referral."""

    LEAF = "leaf"
    REFERRAL = "referral"


_LINKS = {"first": Link.LEAF, "ip": Link.LEAF, "cp": Link.LEAF, "case": Link.REFERRAL}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a leaf: its name in the leaf, what it means, its value as it is, and as people read it."""

    name: str
    meaning: str
    value: str | int
    text: str
    link: Link | None


@dataclass(frozen=True, slots=True)
class Title:
    """What a leaf records: its family (declaration, decision, receipt …) and what that says."""

    family: str
    said: str


def title(fields: Mapping[str, Any]) -> Title:
    """The title of a leaf, from its fields (``leaf.read``)."""
    stream = _texts()["stream"]
    if fields["k"] == Kind.GAP:
        why = fields["why"]
        return Title(stream[CLOSED if why == CLOSED else "gap"], _texts()["gap"].get(why, why))
    if "flaw" in fields:
        return Title(stream["unreadable"], _labelled(Problem, fields["flaw"]))
    type_ = fields["type"]
    for prefix, family, codes in (
        (declarations.TYPE_PREFIX, "declaration", Verb),
        (facts.TYPE_PREFIX, "fact", Verb),
        (receipts.TYPE_PREFIX, "receipt", ReceiptStatus),
    ):
        if type_.startswith(prefix):
            code = type_.removeprefix(prefix).partition(_TYPE)[0]
            if family == "fact" and code in set(Verb):  # not our decision: what somebody declared now holds
                return Title(stream["applied"], _lowered(label(Verb(code))))
            return Title(stream[family], _texts()["fact"].get(code) or _labelled(codes, code))
    return Title(type_, "")


def fields(of: Mapping[str, Any]) -> Iterator[Field]:
    """The fields of a leaf in the order of the catalogue."""
    for name, meaning in _texts()["field"].items():
        if name in of:
            yield Field(name, meaning, of[name], _written(name, of[name]), _LINKS.get(name))


def services() -> Mapping[str, str]:
    """Our own services that write to logged topics, with their names."""
    named: Mapping[str, str] = _texts()["service"]
    return named


def kind(of: Kind) -> str:
    """The kind of a leaf in a word."""
    return str(_texts()["kind"][of])


def kind_said(of: Mapping[str, Any]) -> str:
    """The kind of a leaf in a sentence, from its fields."""
    return str(_texts()["kind_said"][CLOSED if of.get("why") == CLOSED else of["k"]])


def _written(name: str, value: str | int) -> str:
    match name:
        case "k":
            return kind(Kind(str(value)))
        case "kt" if 0 <= int(value) <= LAST_MILLISECOND:
            return moments.moment(datetime.fromtimestamp(int(value) / 1000, UTC))
        case "time":
            with suppress(OverflowError):  # the first hours of the year 1 are before any time in Colombia
                return moments.moment(datetime.fromisoformat(str(value)))
        case "flaw":
            return _labelled(Problem, str(value))
        case "why":
            return str(_texts()["gap"].get(value, value))
    return str(value)


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def _labelled(codes: type[StrEnum], code: str) -> str:
    # An older log may hold codes that this version no longer has.
    return label(codes(code)) if code in set(codes) else code


@cache
def _texts() -> dict[str, Any]:
    return tomllib.loads(CATALOGUE.read_text("utf-8"))
