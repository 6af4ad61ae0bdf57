"""An institution's inbox as the API and the pages read it: alerts with their Spanish text, and their opening."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import BaseModel

from contracts.directory import Institution
from contracts.receipts import ReceiptStatus
from contracts.values import Urgency
from services.notifications import receipts, render
from services.notifications.rows import restore
from services.runtime import sql

_SQL = sql.load(Path(__file__).parent / "sql" / "read.sql")

MOST_COUNTED = 999
"""Unread alerts are counted up to one more; where there are that many, nobody asks how many."""

OPENED_AT_ONCE = 500
"""Alerts that one transaction marks as opened: it holds the lock of all appends."""


class Item(BaseModel):
    """One alert in an inbox, with its Spanish text. Times are UTC."""

    alert: UUID
    fact: UUID
    kind: str
    referral: UUID | None
    urgency: str | None
    actor: str
    occurred_at: datetime
    planned_at: datetime
    opened_at: datetime | None
    title: str
    text: str
    action: str


@dataclass(frozen=True, slots=True)
class Filters:
    """Which alerts; None means any."""

    unread: bool | None = None
    urgency: Urgency | None = None
    kind: str | None = None


def item(row: asyncpg.Record, members: Mapping[str, Institution]) -> dict[str, Any]:
    """The fields of an Item from a row of the alert table."""
    alert = restore(row)
    said = render.notice(alert, members)
    return {
        "alert": alert.id,
        "fact": alert.fact_id,
        "kind": alert.kind,
        "referral": alert.referral,
        "urgency": alert.urgency,
        "actor": alert.actor,
        "occurred_at": alert.occurred_at,
        "planned_at": row["planned_at"],
        "opened_at": row["opened_at"],
        "title": said.title,
        "text": said.text,
        "action": said.action,
    }


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of the alert table, newest first. ``next`` is the position behind which the next page begins, None on the
    last."""

    rows: Sequence[asyncpg.Record] = ()
    next: int | None = None


async def page(pool: asyncpg.Pool, institution: str, filters: Filters, after: int | None, limit: int) -> Page:
    """What ``filters`` let through, behind the position ``after``."""
    asked = (institution, after, filters.unread, limit + 1, filters.urgency, filters.kind)
    rows = await pool.fetch(_SQL["inbox"], *asked)
    return Page(rows[:limit], rows[limit - 1]["position"] if len(rows) > limit else None)


async def unread(pool: asyncpg.Pool, institution: str) -> int:
    """How many alerts nobody of the institution has opened, counted up to MOST_COUNTED + 1."""
    return int(await pool.fetchval(_SQL["unread"], institution, MOST_COUNTED + 1))


async def unread_by_institution(pool: asyncpg.Pool, institutions: Collection[str]) -> dict[str, asyncpg.Record]:
    """Of those that have any: ``unread`` as above, when the ``oldest`` occurred, whether any of these is ``urgent``."""
    rows = await pool.fetch(_SQL["unread_by_institution"], list(institutions), MOST_COUNTED + 1)
    return {row["recipient"]: row for row in rows}


async def mark_opened(pool: asyncpg.Pool, institution: str, alert: UUID, now: datetime) -> datetime | None:
    """Record that an alert was opened, with its receipt, once; returns when it first was, None if it is unknown."""
    async with pool.acquire() as connection, connection.transaction():
        if await connection.fetchval(_SQL["open"], institution, alert, now):
            await receipts.append(connection, [receipts.Entry(alert, ReceiptStatus.OPENED, now)])
            return now
        opened_at: datetime | None = await connection.fetchval(_SQL["opened_at"], institution, alert)
        return opened_at


async def mark_all_opened(pool: asyncpg.Pool, institution: str, filters: Filters, up_to: int, now: datetime) -> None:
    """Record that the alerts of an inbox up to a position were opened, each with its receipt."""
    while True:
        async with pool.acquire() as connection, connection.transaction():
            asked = (institution, up_to, now, filters.urgency, filters.kind, OPENED_AT_ONCE)
            opened = await connection.fetch(_SQL["open_all"], *asked)
            entries = [receipts.Entry(row["alert_id"], ReceiptStatus.OPENED, now) for row in opened]
            await receipts.append(connection, entries)
        if not opened:
            return
