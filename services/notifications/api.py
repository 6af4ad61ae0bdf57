"""What callers may ask the notification service: an institution's inbox, the alerts of a referral, counts.

The texts are those of the notices: no personal data is stored here, so none can be answered.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import asyncpg
from fastapi import FastAPI, HTTPException, Query
from pydantic import BaseModel

from contracts.directory import Institution
from contracts.values import Urgency
from services.notifications import inbox
from services.notifications.inbox import Item
from services.runtime import clock, sql, web

_SQL = sql.load(Path(__file__).parent / "sql" / "read.sql")

Members = Callable[[], Mapping[str, Institution]]


class Inbox(BaseModel):
    """A page of an inbox, newest first; ``next`` is the ``after`` of the next page, null on the last.

    ``unread`` is counted up to 1,000.
    """

    institution: str
    unread: int
    alerts: list[Item]
    next: int | None = None


class Opened(BaseModel):
    """When the alert was first opened."""

    alert: UUID
    opened_at: datetime


class ReceiptView(BaseModel):
    """One thing that happened to an alert."""

    status: str
    attempt: int
    code: int | None
    problem: str | None
    at: datetime


class AlertView(Item):
    """An alert of any channel with everything that became of it."""

    recipient: str
    channel: str
    status: str
    attempts: int
    position: int
    receipts: list[ReceiptView]


class Counts(BaseModel):
    """How many there are: ``alerts`` by channel and status, ``receipts`` by status, and what is not finished.

    ``mail_down_since`` is set while the mail server takes no mail.
    """

    alerts: dict[str, dict[str, int]]
    receipts: dict[str, int]
    jobs: int
    unpublished: int
    unreadable: int
    mail_down_since: datetime | None


def build(
    pool: asyncpg.Pool, missing: web.Missing, members: Members, mail_down_since: Callable[[], datetime | None]
) -> FastAPI:
    """The service's HTTP interface on a pool of its own database role."""
    app = web.api("Ruta notifications", missing)

    @app.get("/v1/inbox/{institution}", responses=web.MAY_LACK)
    async def inbox_of(
        institution: web.Code,
        after: Annotated[int | None, Query(ge=1)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        unread: bool = False,
        urgency: Urgency | None = None,
    ) -> Inbox:
        """A page of an institution's inbox; 404 for an institution that the directory does not know."""
        known = members()
        if institution not in known:
            raise HTTPException(404, "no such institution")
        filters = inbox.Filters(unread=unread or None, urgency=urgency)
        page = await inbox.page(pool, institution, filters, after, limit)
        return Inbox(
            institution=institution,
            unread=await inbox.unread(pool, institution),
            alerts=[Item(**inbox.item(row, known)) for row in page.rows],
            next=page.next,
        )

    @app.post("/v1/inbox/{institution}/{alert}/read", responses=web.MAY_LACK)
    async def read(institution: web.Code, alert: UUID) -> Opened:
        """Say that somebody of the institution has opened an alert. Saying it again changes nothing."""
        opened_at = await inbox.mark_opened(pool, institution, alert, clock.now())
        if opened_at is None:
            raise HTTPException(404, "no such alert in this inbox")
        return Opened(alert=alert, opened_at=opened_at)

    @app.get("/v1/alerts")
    async def alerts(
        referral: UUID | None = None,
        fact: UUID | None = None,
        after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 500,
    ) -> list[AlertView]:
        """The alerts about a referral or of a fact, oldest first, with their receipts; ask again with ``after`` the
        last one's position while there are ``limit`` of them."""
        if referral is None and fact is None:
            raise HTTPException(422, "name a referral or a fact")
        return await alert_views(pool, members(), referral, fact, after, limit)

    @app.get("/v1/counts")
    async def counts() -> Counts:
        """How many alerts and receipts there are, and what is not finished."""
        by_channel: dict[str, dict[str, int]] = {}
        for row in await pool.fetch(_SQL["alert_counts"]):
            by_channel.setdefault(row["channel"], {})[row["status"]] = row["alerts"]
        by_status = {row["status"]: row["receipts"] for row in await pool.fetch(_SQL["receipt_counts"])}
        waiting = await pool.fetchrow(_SQL["waiting"])
        return Counts(alerts=by_channel, receipts=by_status, mail_down_since=mail_down_since(), **waiting)

    return app


async def alert_views(
    pool: asyncpg.Pool,
    members: Mapping[str, Institution],
    referral: UUID | None,
    fact: UUID | None,
    after: int,
    limit: int,
) -> list[AlertView]:
    """A page of the alerts about a referral or of a fact, oldest first, with what became of them."""
    rows = await pool.fetch(_SQL["alerts"], referral, fact, after, limit)
    became: dict[UUID, list[asyncpg.Record]] = defaultdict(list)
    for receipt in await pool.fetch(_SQL["receipts"], [row["alert_id"] for row in rows]):
        became[receipt["alert_id"]].append(receipt)
    return [_view(row, members, became[row["alert_id"]]) for row in rows]


def _view(row: asyncpg.Record, members: Mapping[str, Institution], became: Sequence[asyncpg.Record]) -> AlertView:
    return AlertView(
        **inbox.item(row, members),
        recipient=row["recipient"],
        channel=row["channel"],
        status=row["status"],
        attempts=row["attempts"],
        position=row["position"],
        receipts=[
            ReceiptView(status=r["status"], attempt=r["attempt"], code=r["code"], problem=r["problem"], at=r["at"])
            for r in became
        ],
    )
