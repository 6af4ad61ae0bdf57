"""The status page, put together."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi.responses import HTMLResponse

from deploy.status import plots, view, wording
from deploy.status.readings import COUNTED, Look
from deploy.status.settings import Settings
from deploy.status.targets import TARGETS, targets
from deploy.status.view import Plot
from deploy.status.watch import KEPT, Watch
from services.runtime import web
from services.runtime.pages import site
from services.runtime.process import Job


@asynccontextmanager
async def service(settings: Settings) -> AsyncIterator[list[Job]]:
    """The process: it looks, and shows what it saw."""
    watch = Watch(settings.processes)

    async def missing() -> list[str]:
        return [] if watch.looks else ["it has not looked yet"]

    app = web.api("Ruta status", missing)
    made = site.add(
        app,
        "status",
        Path(__file__).parent,
        addresses=settings.addresses,
        members=dict,
        web_assets=settings.web_assets,
    )
    drawing = Drawing()

    @app.get("/", include_in_schema=False)
    async def status() -> HTMLResponse:
        looks = tuple(watch.looks)
        if not looks:
            return made.page("status.html", look=None)
        return made.page(
            "status.html",
            look=looks[-1],
            processes=view.processes(looks[-1]),
            figures=view.figures(looks),
            plots=await drawing.of(looks),
            services={wording.process(name): wording.texts()["done"][name] for name in COUNTED},
        )

    @app.get(TARGETS)
    async def found() -> list[dict[str, object]]:
        """Where Prometheus finds every process."""
        return targets(settings.processes)

    yield [watch.run, web.job(app, settings)]


class Drawing:
    """The plots of the newest look: drawn once, however many ask, and away from the loop."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._drawn: tuple[Look, Sequence[tuple[Plot, str]]] | None = None

    async def of(self, looks: Sequence[Look]) -> Sequence[tuple[Plot, str]]:
        """Each plot with its SVG element."""
        async with self._lock:
            if self._drawn is None or self._drawn[0] is not looks[-1]:
                self._drawn = looks[-1], await asyncio.to_thread(_draw, looks)
            return self._drawn[1]


def _draw(looks: Sequence[Look]) -> Sequence[tuple[Plot, str]]:
    about = "Los últimos 15 minutos, por servicio. Los valores por minuto están en la tabla que sigue."
    return [
        (plot, plots.draw(plot.title, about, plot.axis, plot.lines, looks[-1].at, KEPT)) for plot in view.plots(looks)
    ]
