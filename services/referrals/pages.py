"""The pages of the referral service: the list with its filters, one referral with its timeline, and what is owed.

They read the same tables as the API and show codes, institutions and times; nothing about the person.
"""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

import asyncpg
from fastapi import FastAPI, HTTPException, Query
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, StringConstraints

from contracts import facts
from contracts.applied import EscalatedFact
from contracts.directory import Institution
from contracts.legal import StopCause
from contracts.values import Service, State, Urgency
from services.referrals import search, timeline
from services.referrals.chain import oversight
from services.referrals.referral import Referral
from services.referrals.rows import restore
from services.referrals.search import Direction, Filters
from services.referrals.turn import OPEN, TURN, steps, turn
from services.runtime import clock, sql, web
from services.runtime.pages import site
from services.runtime.pages.forms import Given
from services.runtime.settings import Settings

_SQL = sql.load(Path(__file__).parent / "sql" / "read.sql")
_PER_PAGE = 50
_MOST = 200
"""Conflicts and duties on their page: it is read to be emptied, so there are no further pages."""

QUIET: Mapping[str, timedelta] = MappingProxyType(
    {"1": timedelta(days=1), "3": timedelta(days=3), "8": timedelta(days=8), "15": timedelta(days=15),
     "30": timedelta(days=30)}
)  # fmt: skip
"""How long nothing has happened, in days. Long silence is what the list is for: no term is judged here."""

OPEN_ONES = "abiertas"
"""In place of a state: all in which somebody still has to act."""


class Asked(BaseModel):
    """What the form asks. Names are those that people see in the address."""

    buscar: Annotated[Annotated[str, StringConstraints(max_length=80)] | None, Given] = None
    institucion: Annotated[web.Code | None, Given] = None
    sentido: Annotated[Direction | None, Given] = None
    estado: Annotated[Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,32}$")] | None, Given] = None
    urgencia: Annotated[Urgency | None, Given] = None
    quieta: Annotated[Annotated[str, StringConstraints(pattern=r"^[0-9]{1,2}$")] | None, Given] = None
    desde: Annotated[Annotated[str, StringConstraints(max_length=120)] | None, Given] = None

    def address(self, **changed: str | None) -> str:
        """The address of the list with these changes; another filter begins at the first page."""
        asked = self.model_dump(mode="json", exclude_none=True) | {"desde": None} | changed
        given = {name: value for name, value in asked.items() if value is not None}
        return f"/?{urlencode(given)}" if given else "/"


def add(app: FastAPI, settings: Settings, pool: asyncpg.Pool, members: site.Members) -> None:
    """Add the pages to the service's application."""
    here = Path(__file__).parent
    made = site.add(
        app, "referrals", here, addresses=settings.addresses, members=members, web_assets=settings.web_assets
    )

    @app.get("/", include_in_schema=False)
    async def referrals(asked: Annotated[Asked, Query()]) -> HTMLResponse:
        reference = search.reference(asked.buscar) if asked.buscar else None
        filters = _filters(asked, reference)
        if asked.buscar and reference is None:
            page, counts = search.Page((), None), {}
        else:
            try:
                page = await search.find(pool, filters, asked.desde, _PER_PAGE)
            except search.NotACursor as error:
                raise HTTPException(422, "desde is not a cursor of this page") from error
            counts = dict(await search.count(pool, filters))
        return made.page(
            "referrals.html",
            asked=asked,
            rows=[_row(row) for row in page.rows],
            next=page.next,
            counts={state: counts[state] for state in State if state in counts},
            open=sum(counts.get(state, 0) for state in OPEN),
            unreadable=bool(asked.buscar) and reference is None,
            members=site.by_name(members().values()),
            urgencies=tuple(Urgency),
            directions=tuple(Direction),
            quiet=QUIET,
            open_ones=OPEN_ONES,
        )

    @app.get("/referrals/{referral}", include_in_schema=False)
    async def one(referral: UUID, antes: Annotated[int | None, Query(ge=1, lt=2**63)] = None) -> HTMLResponse:
        row = await pool.fetchrow(_SQL["referral"], referral)
        if row is None:
            raise HTTPException(404, "no such referral")
        chain = await pool.fetch(_SQL["chain"], referral)
        history = await pool.fetch(_SQL["history"], referral, antes, _PER_PAGE + 1)
        told = [(fact["fact_id"], facts.read(fact["value"])) for fact in history[:_PER_PAGE]]
        one = restore(row)
        return made.page(
            "referral.html",
            one=_row(row),
            referral=one,
            state=one.state,
            turn=turn(one),
            steps=steps(one, [restore(other) for other in chain]),
            resolving=_resolving(one, members()),
            end=_row(chain[-1]) if chain[-1]["referral"] != referral else None,
            chain=[_row(other) for other in chain],
            entries=[timeline.entry(fact_id, fact) for fact_id, fact in told],
            escalation=next((fact for _, fact in told if isinstance(fact, EscalatedFact)), None),
            norm=timeline.norm,
            antes=antes,
            older=history[_PER_PAGE - 1]["position"] if len(history) > _PER_PAGE else None,
        )

    @app.get("/pending", include_in_schema=False)
    async def pending(institucion: Annotated[web.Code | None, Given, Query()] = None) -> HTMLResponse:
        conflicts = await pool.fetch(_SQL["conflicts"], institucion, _MOST + 1)
        stops = await pool.fetch(_SQL["stop_duties"], institucion, _MOST + 1)
        return made.page(
            "pending.html",
            asked=institucion,
            members=site.by_name(members().values()),
            conflicts=[(_row(row), restore(row).conflict) for row in conflicts[:_MOST]],
            stops=[_row(row) | {"because": StopCause(row["because"])} for row in stops[:_MOST]],
            more=max(len(conflicts), len(stops)) > _MOST,
            most=_MOST,
        )


def _filters(asked: Asked, reference: tuple[UUID, UUID] | None) -> Filters:
    quiet = QUIET.get(asked.quieta or "")
    return Filters(
        institution=asked.institucion,
        direction=asked.sentido,
        states=_states(asked.estado),
        urgency=asked.urgencia,
        reference=reference,
        unchanged_since=clock.now() - quiet if quiet else None,
    )


def _resolving(referral: Referral, known: Mapping[str, Institution]) -> list[str]:
    """The oversight bodies that may decide the referral's conflict, if there is one: its parties may not."""
    if referral.conflict is None:
        return []
    return [code for code in oversight(referral, known) if code not in referral.conflict.opened.parties]


def _states(code: str | None) -> tuple[State, ...] | None:
    if code is None:
        return None
    try:
        return OPEN if code == OPEN_ONES else (State(code),)
    except ValueError as error:
        raise HTTPException(422, "estado is not a state") from error


def _row(row: asyncpg.Record) -> dict[str, Any]:
    state = State(row["state"])
    codes = {"state": state, "urgency": Urgency(row["urgency"]), "service": Service(row["service"])}
    return {**row, **codes, "turn": TURN[state]}
