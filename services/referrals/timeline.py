"""A referral's history as people read it: one entry per fact, codes turned into words. Pure.

What a request says about the person (places, conditions, documents) is for the parties' own systems, not for a page.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from contracts import moments
from contracts.applied import Applied
from contracts.facts import FactData, RefusedFact
from contracts.labels import label
from contracts.legal import Kept
from contracts.model import Model
from contracts.values import State, Urgency

CATALOGUE = Path(__file__).parent / "locales" / "es_CO.toml"

ABOUT_THE_PERSON = frozenset({"person", "territories", "flags", "document_types", "representative", "assent"})
"""Fields of a declaration that no page shows."""

_LAW = re.compile(r"^Ley-(?P<number>\d+)-(?P<year>\d{4})-art-(?P<article>\d+)$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Entry:
    """One fact. ``by``: code of the institution; ``actor``: its official or system, an opaque id, if it is known.

    ``state`` is where the referral stood afterwards, None where the fact changed nothing; ``reason`` then says why.
    ``said`` has names and their values: words, codes of institutions, and ids of other referrals.
    """

    fact: UUID
    title: str
    by: str
    received_at: datetime
    declared_at: datetime | None
    actor: str | None
    state: State | None
    said: tuple[tuple[str, tuple[str | UUID, ...]], ...]
    reason: str | None
    late: bool
    event: UUID | None


def entry(fact: UUID, data: FactData) -> Entry:
    """The entry of a fact."""
    applied = data if isinstance(data, Applied) else None
    refused = data if isinstance(data, RefusedFact) else None
    said = tuple(_said(data.details)) if applied else ()  # type: ignore[union-attr]
    return Entry(
        fact=fact,
        title=_texts()["fact"][data.kind],
        by=data.cause.owner,
        received_at=data.received_at,
        declared_at=applied.declared_at if applied else None,
        actor=f"{label(applied.actor.type)} {applied.actor.id}" if applied else None,
        state=applied.state if applied else None,
        said=((_texts()["declared"], (label(refused.verb),)),) if refused else said,
        reason=label(refused.reason) if refused else None,
        late=applied is not None and applied.late,
        event=data.cause.event,
    )


def norm(code: str) -> str:
    """A norm as people write it, where its code is one of ours: ``Ley 1437 de 2011, artículo 21``."""
    found = _LAW.match(code)
    return str(_texts()["law"].format(**found.groupdict())) if found else code


def _said(details: Model) -> Iterator[tuple[str, tuple[str | UUID, ...]]]:
    for name in type(details).model_fields:
        value = getattr(details, name)
        if name in ABOUT_THE_PERSON or value is None or value == ():
            continue
        if isinstance(value, Model):
            yield from _said(value)
        else:
            each = value if isinstance(value, tuple) else (value,)
            if name == "languages":
                each = tuple(_texts()["language"].get(code, code) for code in each)
            yield _texts()["field"].get(name, name), tuple(map(_written, each))


def _written(value: Any) -> str | UUID:
    if isinstance(value, Urgency):
        return f"{value} · {label(value)}"
    if isinstance(value, StrEnum):
        return label(value)
    if isinstance(value, bool):
        return str(_texts()["yes" if value else "no"])
    if isinstance(value, Kept):
        return f"{label(value.data_class)}: {label(value.because).lower()}"
    if isinstance(value, datetime):
        return moments.moment(value)
    if isinstance(value, date):
        return moments.day(value)
    return value if isinstance(value, UUID) else norm(str(value))


@cache
def _texts() -> dict[str, Any]:
    return tomllib.loads(CATALOGUE.read_text("utf-8"))
