"""The pages of the notification service: all inboxes, one inbox, what became of the alerts about a referral."""

from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from uuid import UUID

import asyncpg
from fastapi import FastAPI, HTTPException, Query
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel

from contracts import labels
from contracts.values import Urgency
from services.notifications import inbox, render
from services.notifications.api import alert_views
from services.notifications.routing import TOLD
from services.notifications.settings import Settings
from services.runtime import clock, web
from services.runtime.pages import site
from services.runtime.pages.forms import Given

_PER_PAGE = 50
_OPENED_SHOWN = 10

KINDS = tuple(kind for kind in TOLD if kind != "duplicate")
"""The kinds of facts that anybody is told of."""


class Asked(BaseModel):
    """What the form asks. ``ver``: only those, in pages; unset, the unread ones and the latest of the others."""

    urgencia: Annotated[Urgency | None, Given] = None
    asunto: Annotated[Literal[KINDS] | None, Given] = None  # type: ignore[valid-type]
    ver: Annotated[Literal["abiertos"] | None, Given] = None
    desde: Annotated[Annotated[int, Query(ge=1, lt=2**63)] | None, Given] = None

    @property
    def filtered(self) -> bool:
        """Whether this may show less than the whole inbox."""
        return self.urgencia is not None or self.asunto is not None

    def query(self, **changed: Any) -> str:
        """The query with these changes, with its question mark; empty for no filter."""
        asked = self.model_dump(mode="json") | {"desde": None} | changed
        given = {name: value for name, value in asked.items() if value is not None}
        return f"?{urlencode(given)}" if given else ""


class AllAsked(Asked):
    """All that these filters show, up to the newest that the page showed: what came meanwhile was seen by nobody."""

    hasta: Annotated[int, Query(ge=1, lt=2**63)]


def add(app: FastAPI, settings: Settings, pool: asyncpg.Pool, members: site.Members) -> None:
    """Add the pages to the service's application."""
    here = Path(__file__).parent
    made = site.add(
        app, "notifications", here, addresses=settings.addresses, members=members, web_assets=settings.web_assets
    )

    @app.get("/", include_in_schema=False)
    async def inboxes() -> HTMLResponse:
        waiting = await inbox.unread_by_institution(pool, members().keys())
        known = sorted(site.by_name(members().values()), key=lambda one: one.code not in waiting)
        return made.page("inboxes.html", institutions=known, waiting=waiting, most=inbox.MOST_COUNTED)

    @app.get("/inbox/{institution}", include_in_schema=False)
    async def one(institution: web.Code, asked: Annotated[Asked, Query()]) -> HTMLResponse:
        if institution not in members():
            raise HTTPException(404, "no such institution")

        async def part(unread: bool, limit: int) -> inbox.Page:
            filters = inbox.Filters(unread, asked.urgencia, asked.asunto)
            return await inbox.page(pool, institution, filters, asked.desde, limit)

        # The count first: an alert that comes in between is shown again by the stream, never left out.
        unread = await inbox.unread(pool, institution)
        new = inbox.Page() if asked.ver else await part(True, _PER_PAGE)
        opened = await part(False, _PER_PAGE if asked.ver else _OPENED_SHOWN)
        return made.page(
            "inbox.html",
            code=institution,
            asked=asked,
            unread=unread,
            most=inbox.MOST_COUNTED,
            new=[inbox.item(row, members()) for row in new.rows],
            opened=[inbox.item(row, members()) for row in opened.rows],
            more_opened=not asked.ver and opened.next is not None,
            next=(opened if asked.ver else new).next,
            newest=new.rows[0]["position"] if new.rows else None,
            urgencies=tuple(Urgency),
            kinds={kind: render.title(kind) for kind in KINDS},
        )

    @app.post("/inbox/{institution}/{alert}/open", include_in_schema=False)
    async def open_alert(institution: web.Code, alert: UUID, asked: Annotated[Asked, Query()]) -> RedirectResponse:
        if await inbox.mark_opened(pool, institution, alert, clock.now()) is None:
            raise HTTPException(404, "no such alert in this inbox")
        return RedirectResponse(f"/inbox/{institution}{asked.query(desde=asked.desde)}", 303)

    @app.post("/inbox/{institution}/open", include_in_schema=False)
    async def open_all(institution: web.Code, asked: Annotated[AllAsked, Query()]) -> RedirectResponse:
        filters = inbox.Filters(urgency=asked.urgencia, kind=asked.asunto)
        await inbox.mark_all_opened(pool, institution, filters, asked.hasta, clock.now())
        return RedirectResponse(f"/inbox/{institution}{asked.query(hasta=None)}", 303)

    @app.get("/alerts", include_in_schema=False)
    async def alerts(referral: UUID, desde: Annotated[int, Query(ge=0, lt=2**63)] = 0) -> HTMLResponse:
        found = await alert_views(pool, members(), referral, None, desde, _PER_PAGE + 1)
        return made.page(
            "alerts.html",
            referral=referral,
            alerts=found[:_PER_PAGE],
            desde=desde,
            next=found[_PER_PAGE - 1].position if len(found) > _PER_PAGE else None,
            labels=labels.catalogue(),
        )
