"""Times as people in Colombia read them. Pure: whoever asks for an age says what time it is."""

import tomllib
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any

COLOMBIA = timezone(timedelta(hours=-5))
"""The same all the year since 1993; no time-zone database is needed on the machine."""

_CATALOGUE = Path(__file__).parent / "labels" / "moments_es_CO.toml"


def local_date(at: datetime) -> date:
    """The day that it is in Colombia, which is UTC's for nineteen hours only. Raises ValueError if naive."""
    if at.tzinfo is None:
        raise ValueError("a moment needs its offset")
    return at.astimezone(COLOMBIA).date()


def moment(at: datetime) -> str:
    """A time in full: ``24 de noviembre de 2026, 10:05 a. m.``. Raises ValueError if naive."""
    return _written("moment", at)


def short(at: datetime) -> str:
    """A time for tables: ``24 nov 2026, 10:05 a. m.``. Raises ValueError if naive."""
    return _written("short", at)


def exact(at: datetime) -> str:
    """A time to the second: ``24 nov 2026, 10:05:09 a. m.``. Raises ValueError if naive."""
    return _written("exact", at)


def clock(at: datetime) -> str:
    """The time of day alone: ``10:05 a. m.``. Raises ValueError if naive."""
    return _written("clock", at)


def day(on: date) -> str:
    """A day: ``24 de noviembre de 2026``."""
    return str(_texts()["day"].format(day=on.day, month=_texts()["months"][on.month - 1], year=on.year))


def age(since: datetime, now: datetime) -> str:
    """How long ago, in one unit: ``hace 3 h``. A time that is not past yet is a moment ago: clocks differ."""
    minutes = int((now - since).total_seconds() // 60)
    texts = _texts()["age"]
    if minutes < 1:
        return str(texts["now"])
    if minutes < 60:
        return str(texts["minutes"].format(count=minutes))
    if minutes < 48 * 60:
        return str(texts["hours"].format(count=minutes // 60))
    return str(texts["days"].format(count=minutes // (24 * 60)))


def _written(pattern: str, at: datetime) -> str:
    if at.tzinfo is None:
        raise ValueError("a moment needs its offset")
    local, texts = at.astimezone(UTC).astimezone(COLOMBIA), _texts()
    month = texts["months"][local.month - 1]
    return str(
        texts[pattern].format(
            day=local.day,
            month=month,
            short_month=month[:3],
            year=local.year,
            hour=local.hour % 12 or 12,
            minute=local.minute,
            second=local.second,
            half=texts["halves"][local.hour // 12],
        )
    )


@cache
def _texts() -> dict[str, Any]:
    return tomllib.loads(_CATALOGUE.read_text("utf-8"))
