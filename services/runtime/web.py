"""HTTP of a service: an API whose liveness is the process and whose readiness is progress."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import JSONResponse, Response
from fastapi.telemetry import TelemetryConfig
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, BeforeValidator, StringConstraints

from contracts.envelope import read_time
from services.runtime.process import Job
from services.runtime.settings import PageSettings
from services.runtime.telemetry import Telemetry, value

Missing = Callable[[], Awaitable[list[str]]]
"""What a service still waits for, in short English phrases; empty when it makes progress."""

Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,48}$")]
"""An institution or ``desk`` in a request. PostgreSQL cannot take every text (U+0000), so none but these gets there."""


def _rfc3339(text: str) -> datetime:
    moment = read_time(text)
    if moment is None:
        raise ValueError("a moment is an RFC 3339 time with its offset")
    return moment


Moment = Annotated[datetime, BeforeValidator(_rfc3339)]
"""A moment in a request. The framework alone would take a number, too, and guess whether it is seconds."""


class Problem(BaseModel):
    """One thing wrong with a request: ``where`` it stands, and the kind of mistake; never what was sent."""

    where: list[str | int]
    problem: str


class Failure(BaseModel):
    """Why a request got no answer: a sentence, or all that is wrong with it."""

    detail: str | list[Problem]


UNPROCESSABLE: dict[int | str, dict[str, Any]] = {422: {"model": Failure, "description": "The request is wrong"}}
"""What every operation may answer, instead of the framework's own description, which promises what was sent."""

MAY_LACK: dict[int | str, dict[str, Any]] = {404: {"model": Failure, "description": "There is no such thing"}}
"""The answers of an operation that names a thing which may not be there."""


def api(title: str, missing: Missing) -> FastAPI:
    """An application with ``/livez`` and ``/readyz``; the service adds its own routes."""
    # The framework's own telemetry logs what did not validate, with the values.
    telemetry: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
    app = FastAPI(
        title=title, version="0.1", docs_url=None, redoc_url=None, telemetry=telemetry, responses=UNPROCESSABLE
    )

    # A page in somebody's browser must not reach a loopback service under a name of its own (DNS rebinding).
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]"])

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        # Not the framework's own answer, which repeats what was sent; its messages may repeat a piece too.
        problems = [{"where": problem["loc"], "problem": problem["type"]} for problem in error.errors()]
        return JSONResponse({"detail": problems}, 422)

    @app.get("/livez", include_in_schema=False)
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> JSONResponse:
        waiting = await missing()
        return JSONResponse({"ready": not waiting, "missing": waiting}, 503 if waiting else 200)

    return app


def expose(app: FastAPI, telemetry: Telemetry, missing: Missing) -> None:
    """Add ``/metrics`` in Prometheus' text format. Answered from memory: PostgreSQL and Kafka are not asked."""
    ready = False
    telemetry.watch("ruta.ready", lambda: value(float(ready)))

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        nonlocal ready
        ready = not await missing()
        return Response(telemetry.exposition(), media_type=CONTENT_TYPE_LATEST)


def job(app: FastAPI, settings: PageSettings) -> Job:
    """Serving ``app`` as a job. The process handles the signals, so uvicorn must not."""
    config = uvicorn.Config(
        app,
        host=settings.http_host,
        port=settings.http_port,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
    )
    return _Server(config).serve


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
