"""What the status page says, in Spanish. Pure."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from services.runtime.pages.numbers import number

_UNITS = ((1, "ms", 0.001), (120, "s", 1), (7200, "min", 60))
"""Below how many seconds a unit is used, and how long one of it is."""

_CATALOGUE = Path(__file__).parent / "locales" / "es_CO.toml"


def process(name: str) -> str:
    """What people call a process: ``referrals-2`` is ``Remisiones 2``."""
    service, _, number = name.partition("-")
    return f"{texts()['service'][service]} {number}".strip()


def missing(phrase: str) -> str:
    """What a service waits for. A phrase that the catalogue does not know stays as the service said it."""
    known: Mapping[str, str] = texts()["missing"]
    if phrase in known:
        return known[phrase]
    for end, said in texts()["missing_of"].items():
        if phrase.endswith(end):
            return str(said.format(what=phrase.removesuffix(end)))
    return phrase


def duration(seconds: float | None) -> str:
    """Seconds in one unit: ``12 ms``, ``4 s``, ``3 min``, ``2 h``; a dash where nobody knows."""
    if seconds is None:
        return "–"
    for limit, unit, seconds_each in _UNITS:
        if seconds < limit:
            return f"{number(seconds / seconds_each)} {unit}"
    return f"{number(seconds / 3600)} h"


@cache
def texts() -> dict[str, Any]:
    """The whole catalogue."""
    return tomllib.loads(_CATALOGUE.read_text("utf-8"))
