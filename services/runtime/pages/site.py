"""The pages of one service: templates, assets, headers, error pages. The service adds its own routes."""

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, Response

from contracts import moments
from contracts.directory import Institution
from contracts.labels import label
from services.runtime import clock
from services.runtime.pages import assets, errors, protection
from services.runtime.pages.assets import Asset
from services.runtime.pages.numbers import number
from services.runtime.settings import Addresses

_HERE = Path(__file__).parent

Members = Callable[[], Mapping[str, Institution]]


def by_name(institutions: Iterable[Institution]) -> list[Institution]:
    """Institutions in the order in which people look for a name: accents and capitals do not matter."""
    return sorted(institutions, key=lambda one: _plain(one.name))


def _plain(text: str) -> str:
    return "".join(each for each in unicodedata.normalize("NFD", text) if not unicodedata.combining(each)).casefold()


@dataclass(frozen=True)
class Site:
    """Makes pages. ``members`` gives the institutions by code."""

    templates: jinja2.Environment
    members: Members

    def page(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A rendered page."""
        return HTMLResponse(self.render(template, **values), status)

    def render(self, template: str, **values: Any) -> str:
        """A template with these values; ``now`` and ``institution`` (the name of a code) are there for all."""
        return self.templates.get_template(template).render(now=clock.now(), institution=self.institution, **values)

    def institution(self, code: str) -> str:
        """An institution's name; its code while the directory does not know it."""
        known = self.members().get(code)
        return known.name if known else code


def add(
    app: FastAPI, name: str, folder: Path, *, addresses: Addresses, members: Members, web_assets: Path | None
) -> Site:
    """Make ``app`` a site: ``folder`` holds ``templates`` and, where the service has its own assets, ``static``.

    ``web_assets`` is the folder with htmx; without it the pages work by reloading.
    """
    own = [path for path in (_HERE / "static", folder / "static") if path.is_dir()]
    served = assets.load([*own, *([web_assets] if web_assets else [])])
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder / "templates", _HERE / "templates"]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"label": label} | {
        each.__name__: each
        for each in (moments.moment, moments.short, moments.exact, moments.clock, moments.day, moments.age, number)
    }
    templates.globals |= {"assets": served, "addresses": addresses.without(name), "here": name}
    site = Site(templates, members)
    errors.answer(app, lambda status, said: site.page("error.html", status, said=said))
    app.add_middleware(protection.Protection)
    _serve(app, {asset.url: asset for asset in served.values()})
    return site


def _serve(app: FastAPI, by_url: Mapping[str, Asset]) -> None:
    @app.get("/assets/{digest}/{name}", include_in_schema=False)
    async def asset(request: Request) -> Response:
        found = by_url.get(request.url.path)
        if found is None:
            raise HTTPException(404, "no such asset")
        headers = {"cache-control": "public, max-age=31536000, immutable"}
        return Response(found.content, media_type=found.media_type, headers=headers)
