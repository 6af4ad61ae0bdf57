"""The pages of the log: its checkpoint and leaves, one leaf with its proof, and whether a kept checkpoint still holds.

They show what leaves hold: ids, codes and digests. Every check made here can be repeated in the reader's browser, with
a key that the reader has from elsewhere.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

import asyncpg
from fastapi import FastAPI, HTTPException, Query, Request
from fastapi import Path as PathParameter
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, Field, StringConstraints

from contracts.directory import Institution
from services.audit import leaf as leaves
from services.audit import merkle, note, proofs, wording
from services.audit.comparison import Log, compare
from services.audit.leaf import Kind
from services.runtime import sql, web
from services.runtime.pages import site
from services.runtime.pages.forms import Given, beginning
from services.runtime.settings import Settings

_SQL = sql.load(Path(__file__).parent / "sql" / "pages.sql")
_PER_PAGE = 50
_NUMBER = re.compile(r"[0-9]{1,80}")
_REFERENCE = 8
"""Digits of an id that all pages and mails show; with fewer a leaf's number is meant."""
_ANY = (None, None)

RARE = (Kind.DUPLICATE, Kind.CONFLICT, Kind.GAP)
"""What the list can be narrowed to: the kinds that somebody should look at."""

Index = Annotated[int, PathParameter(ge=0, lt=2**63)]


class Asked(BaseModel):
    """What the form asks; ``buscar`` is a leaf's number, or how the id of a referral or a fact begins."""

    buscar: Annotated[Annotated[str, StringConstraints(max_length=80, strip_whitespace=True)] | None, Given] = None
    referral: Annotated[UUID | None, Given] = None
    fact: Annotated[UUID | None, Given] = None
    institucion: Annotated[web.Code | None, Given] = None
    clase: Annotated[Kind | None, Given] = None
    antes: Annotated[Annotated[int, Field(ge=0, lt=2**63)] | None, Given] = None


class Kept(BaseModel):
    """A checkpoint that somebody kept, the whole note."""

    punto: Annotated[Annotated[str, StringConstraints(max_length=4_000)] | None, Given] = None


def add(
    app: FastAPI,
    settings: Settings,
    log: Log,
    closed: Sequence[Log],
    members: Callable[[], Mapping[str, Institution]],
) -> None:
    """Add the pages to the service's application. ``closed``: the logs that ``log`` goes on from."""
    pool, vkey = log.pool, log.vkey
    here = Path(__file__).parent
    made = site.add(app, "audit", here, addresses=settings.addresses, members=members, web_assets=settings.web_assets)
    made.templates.filters["base64"] = note.b64
    made.templates.globals["writer"] = lambda code: wording.services().get(code) or made.institution(code)

    @app.get("/", include_in_schema=False)
    async def overview(request: Request, asked: Annotated[Asked, Query()]) -> Response:
        number = int(asked.buscar) if asked.buscar and _NUMBER.fullmatch(asked.buscar) else None
        exact = asked.referral or asked.fact
        ids = (exact, exact) if exact else beginning(asked.buscar or "", _REFERENCE) or _ANY
        async with pool.acquire() as connection:
            newest = await proofs.newest(connection)
            wanted = (*ids, asked.institucion, asked.clase, asked.antes, _PER_PAGE + 1)
            named = ids != _ANY or not asked.buscar
            rows = await connection.fetch(_SQL["latest"], *wanted) if named else []
        # Eight digits and more may be either; a reference that is there is the likelier meaning.
        if number is not None and not rows and newest and number < newest.size:
            return _forward(request, f"/entries/{number}")
        return made.page(
            "log.html",
            newest=newest,
            vkey=vkey,
            asked=asked,
            exact=exact,
            unreadable=not named and number is None,
            beyond=number is not None and not rows,
            entries=[_entry(row) for row in rows[:_PER_PAGE]],
            older=_older(asked, rows[_PER_PAGE - 1]["index"]) if len(rows) > _PER_PAGE else None,
            rare={kind: wording.kind(kind) for kind in RARE},
            services=wording.services(),
            closed=[one.closed for one in closed],
            members=site.by_name(members().values()),
        )

    @app.get("/entries/{index}", include_in_schema=False)
    async def entry(index: Index) -> HTMLResponse:
        async with pool.acquire() as connection:
            found = await proofs.inclusion(connection, index)
            row = await connection.fetchrow(_SQL["stored"], index)
        if found is None or row is None:
            raise HTTPException(404, "the log has no such leaf yet")
        fields = leaves.read(found.leaf)
        steps = merkle.climb(found.leaf_hash, index, found.newest.size, found.path)
        return made.page(
            "entry.html",
            index=index,
            proof=found,
            vkey=vkey,
            steps=steps,
            proven=merkle.included(found.leaf_hash, index, found.newest.size, found.path, found.newest.root),
            title=wording.title(fields),
            kind=fields["k"],
            kind_said=wording.kind_said(fields),
            fields=list(wording.fields(fields)),
            owner=fields["from"],
            stored_at=row["stored_at"],
        )

    @app.get("/consistency", include_in_schema=False)
    async def consistency(kept: Annotated[Kept, Query()]) -> HTMLResponse:
        found = await compare(kept.punto, [log, *closed]) if kept.punto else None
        compared = (found and found.log) or log
        async with compared.pool.acquire() as connection:
            newest = await proofs.newest(connection)
        names = [one.origin for one in (log, *closed)]
        return made.page("consistency.html", kept=kept, found=found, compared=compared, newest=newest, names=names)


def _entry(row: asyncpg.Record) -> dict[str, Any]:
    fields = leaves.read(row["leaf"])
    return {
        "index": row["index"],
        "stored_at": row["stored_at"],
        "title": wording.title(fields),
        "kind": fields["k"],
        "kind_text": wording.kind(Kind(fields["k"])),
        "owner": fields["from"],
        "referral": fields.get("case"),
    }


def _older(asked: Asked, last: int) -> str:
    return "/?" + urlencode({**asked.model_dump(mode="json", exclude_none=True), "antes": last})


def _forward(request: Request, path: str) -> Response:
    # htmx would follow a redirect and look for a list in what it gets.
    if "hx-request" in request.headers:
        return Response(headers={"hx-redirect": path})
    return RedirectResponse(path, 303)
