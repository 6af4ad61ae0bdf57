"""Finds referrals: by reference, party, state, urgency and how long nothing has happened; newest first, in pages."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from uuid import UUID

import asyncpg

from contracts.values import State, Urgency
from services.runtime import sql
from services.runtime.pages.forms import beginning

_SQL = sql.load(Path(__file__).parent / "sql" / "search.sql")


class Direction(StrEnum):
    """Which side of a referral an institution is on."""

    SENT = "sent"
    RECEIVED = "received"


class NotACursor(ValueError):
    """The text does not come from ``Page.next``."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What to find; None means any. ``reference``: a range of ids, of the referral or of its need."""

    institution: str | None = None
    direction: Direction | None = None
    states: Sequence[State] | None = None
    urgency: Urgency | None = None
    need: UUID | None = None
    reference: tuple[UUID, UUID] | None = None
    unchanged_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of the referral table, newest first. ``next`` is the cursor of the next page, None on the last."""

    rows: Sequence[asyncpg.Record]
    next: str | None


async def find(pool: asyncpg.Pool, filters: Filters, after: str | None, limit: int) -> Page:
    """A page of what ``filters`` let through, behind the cursor. Raises NotACursor."""
    position = _read_cursor(after) if after else (None, None)
    statement = "referrals" if filters.institution is None else "referrals_of"
    rows = await pool.fetch(_SQL[statement], *_arguments(filters), *position, limit + 1)
    return Page(rows[:limit], _cursor(rows[limit - 1]) if len(rows) > limit else None)


async def count(pool: asyncpg.Pool, filters: Filters) -> Mapping[State, int]:
    """How many there are of each state, whatever states the filters name."""
    rows = await pool.fetch(_SQL["counts"], *_arguments(filters))
    return {State(row["state"]): row["referrals"] for row in rows}


def reference(text: str) -> tuple[UUID, UUID] | None:
    """The first and last id that begin like this, from four digits on."""
    return beginning(text, at_least=4)


def _arguments(filters: Filters) -> tuple[object, ...]:
    low, high = filters.reference or (None, None)
    direction = filters.direction if filters.institution else None
    return (
        filters.institution, direction, filters.states, filters.urgency, filters.need, low, high,
        filters.unchanged_since,
    )  # fmt: skip


def _cursor(last: asyncpg.Record) -> str:
    return urlsafe_b64encode(f"{last['opened_at'].isoformat()} {last['referral']}".encode()).decode()


def _read_cursor(text: str) -> tuple[datetime, UUID]:
    try:
        moment, _, referral = urlsafe_b64decode(text).decode().partition(" ")
        # Also of a time that UTC cannot tell: PostgreSQL would refuse it.
        return datetime.fromisoformat(moment).astimezone(UTC), UUID(referral)
    except (ValueError, OverflowError) as error:
        raise NotACursor("this is no cursor of a page of referrals") from error
