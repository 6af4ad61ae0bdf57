"""What callers may ask the referral service: referrals, a referral's timeline, the outcome of a declaration.

No personal data is stored here, so none can be answered; identifiers in URLs are random.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import FastAPI, HTTPException, Query
from pydantic import BaseModel

from contracts.legal import StopCause
from contracts.values import State, Urgency
from services.referrals import search
from services.referrals.referral import Conflict, StopDuty
from services.referrals.search import Direction
from services.runtime import sql, web

_SQL = sql.load(Path(__file__).parent / "sql" / "read.sql")

After = Annotated[int, Query(ge=0, lt=2**63)]
"""A fact's position: the page begins behind it."""

Limit = Annotated[int, Query(ge=1, le=1000)]


class ReferralView(BaseModel):
    """A referral as it stands. Times are UTC."""

    referral: UUID
    version: int
    state: State
    sender: str
    recipient: str
    need: UUID
    service: str
    urgency: str
    opened_at: datetime
    changed_at: datetime


class Page(BaseModel):
    """Referrals, newest first; ``next`` is the cursor of the next page, null on the last."""

    referrals: list[ReferralView]
    next: str | None = None


class FactView(BaseModel):
    """One fact of a timeline, with the published data as it is."""

    fact: UUID
    referral: UUID
    position: int
    kind: str
    outcome: str
    version: int | None
    owner: str
    event: UUID | None
    received_at: datetime
    data: dict[str, Any]


class DetailView(ReferralView):
    """A referral with its place in its chain and its duties.

    ``path``: earlier receivers, oldest first. ``clock_from``: where operational terms count from. ``held_from``: where
    it goes back to from a hold. ``stop_duty``: its recipient's, open or confirmed. ``awaits_content``: a resolution
    opened it, and its sender has not sealed the content for its recipient yet. ``conflict``: the open competence
    conflict with the positions stated so far.
    """

    root: UUID
    parent: UUID | None
    path: tuple[str, ...]
    redirected_by: str | None
    clock_from: datetime
    follows: UUID | None
    held_from: State | None
    stop_duty: StopDuty | None
    revoked: bool
    escalated: bool
    competence_decided: bool
    awaits_content: bool
    conflict: Conflict | None


class Timeline(DetailView):
    """A referral and what was decided about it, refusals included, oldest first; ``next`` is the ``after`` of the next
    page, null on the last."""

    facts: list[FactView]
    next: int | None = None


class ChainView(BaseModel):
    """All referrals that redirections made of the same one, the first first, and the facts about any of them, oldest
    first; ``next`` is the ``after`` of the next page, null on the last."""

    referrals: list[DetailView]
    facts: list[FactView]
    next: int | None = None


class StopDutyView(DetailView):
    """A referral whose recipient has not confirmed that it stopped: when it was told to, and why."""

    since: datetime
    because: StopCause


class StopDuties(BaseModel):
    """Stops that nobody has confirmed, the longest waiting first."""

    referrals: list[StopDutyView]


class Conflicts(BaseModel):
    """Referrals of which it is disputed who is competent, the oldest conflict first."""

    referrals: list[DetailView]


class OutcomeView(BaseModel):
    """The answer to a declaration."""

    outcome: str
    kind: str
    fact: UUID
    referral: UUID | None
    version: int | None
    received_at: datetime
    data: dict[str, Any]


def build(pool: asyncpg.Pool, missing: web.Missing) -> FastAPI:
    """The service's HTTP interface on a pool of its own database role."""
    app = web.api("Ruta referrals", missing)

    @app.get("/v1/referrals")
    async def referrals(
        institution: web.Code | None = None,
        state: State | None = None,
        direction: Direction | None = None,
        urgency: Urgency | None = None,
        need: UUID | None = None,
        unchanged_since: web.Moment | None = None,
        after: Annotated[str | None, Query(max_length=120)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> Page:
        """A page of referrals. ``institution`` matches the sender or the recipient, ``direction`` only one of them."""
        states = None if state is None else (state,)
        filters = search.Filters(institution, direction, states, urgency, need, unchanged_since=unchanged_since)
        try:
            page = await search.find(pool, filters, after, limit)
        except search.NotACursor as error:
            raise HTTPException(422, "after is not a cursor of this API") from error
        return Page(referrals=[ReferralView(**row) for row in page.rows], next=page.next)

    @app.get("/v1/referrals/{referral}", responses=web.MAY_LACK)
    async def one(referral: UUID, after: After = 0, limit: Limit = 500) -> Timeline:
        """One referral with its timeline, of which a page holds ``limit`` facts; 404 when it is unknown."""
        row = await pool.fetchrow(_SQL["referral"], referral)
        if row is None:
            raise HTTPException(404, "no such referral")
        found, following = await _page(pool, [referral], after, limit)
        return Timeline(**_detail(row), facts=found, next=following)

    @app.get("/v1/referrals/{referral}/chain", responses=web.MAY_LACK)
    async def chain(referral: UUID, after: After = 0, limit: Limit = 500) -> ChainView:
        """The whole chain of a referral, whichever of it is named, with a page of its facts; 404 when it is unknown."""
        rows = await pool.fetch(_SQL["chain"], referral)
        if not rows:
            raise HTTPException(404, "no such referral")
        found, following = await _page(pool, [row["referral"] for row in rows], after, limit)
        return ChainView(referrals=[DetailView(**_detail(row)) for row in rows], facts=found, next=following)

    @app.get("/v1/stop-duties")
    async def stop_duties(
        institution: web.Code | None = None, limit: Annotated[int, Query(ge=1, le=500)] = 50
    ) -> StopDuties:
        """Who was told to stop using the data and has not confirmed it. ``institution`` is the holder."""
        rows = await pool.fetch(_SQL["stop_duties"], institution, limit)
        return StopDuties(referrals=[StopDutyView(**_detail(row)) for row in rows])

    @app.get("/v1/conflicts")
    async def conflicts(
        institution: web.Code | None = None, limit: Annotated[int, Query(ge=1, le=500)] = 50
    ) -> Conflicts:
        """Open competence conflicts. ``institution`` is a party, or the referral's sender."""
        rows = await pool.fetch(_SQL["conflicts"], institution, limit)
        return Conflicts(referrals=[DetailView(**_detail(row)) for row in rows])

    @app.get("/v1/outcomes/{owner}/{event}", responses=web.MAY_LACK)
    async def outcome(owner: web.Code, event: UUID) -> OutcomeView:
        """What became of an institution's declaration; 404 while nothing of that id has arrived."""
        row = await pool.fetchrow(_SQL["outcome"], owner, event)
        if row is None:
            raise HTTPException(404, "nothing with this id has arrived from this institution")
        return OutcomeView(
            outcome=row["outcome"],
            kind=row["kind"],
            fact=row["fact_id"],
            referral=row["referral"],
            version=row["version"],
            received_at=row["received_at"],
            data=json.loads(row["value"]),
        )

    return app


async def _page(pool: asyncpg.Pool, referrals: list[UUID], after: int, limit: int) -> tuple[list[FactView], int | None]:
    """The facts behind ``after``, and the position behind which the next page begins."""
    rows = await pool.fetch(_SQL["timeline"], referrals, after, limit + 1)
    found = [_fact(row) for row in rows[:limit]]
    return found, found[-1].position if len(rows) > limit else None


def _detail(row: asyncpg.Record) -> dict[str, Any]:
    conflict = row["conflict"]
    return {**row, "conflict": Conflict.model_validate_json(conflict) if conflict else None}


def _fact(row: asyncpg.Record) -> FactView:
    return FactView(
        fact=row["fact_id"],
        referral=row["referral"],
        position=row["position"],
        kind=row["kind"],
        outcome=row["outcome"],
        version=row["version"],
        owner=row["owner"],
        event=row["event_id"],
        received_at=row["received_at"],
        data=json.loads(row["value"]),
    )
