"""What people and programs are told when a request fails: neither answer repeats anything of the request."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
from fastapi import FastAPI, Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.runtime.pages import protection

_FOR_PROGRAMS = ("/v1/", "/livez", "/readyz", "/metrics", "/openapi.json")
"""Paths whose answers are the same for a browser."""

_AWAY = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.OperatorInterventionError,
)
"""PostgreSQL is not there, is starting or stopping, or took too long."""

_READS_LIKE = {403: 403, 404: 404, 405: 404, 422: 422, 503: 503}
"""The status whose text a status shows: a form's address, loaded, is nothing; all others read like 500."""

Handler = Callable[[Request, Any], Awaitable[Response]]


def answer(app: FastAPI, page: Callable[[int, int], HTMLResponse]) -> None:
    """Install the handlers. ``page`` makes a page of a status and of the status whose text it shows."""

    def handler(status: int | None, program: Handler) -> Handler:
        async def handle(request: Request, error: Any) -> Response:
            if not _wants_page(request):
                return await program(request, error)
            code = status or error.status_code
            made = page(code, _READS_LIKE.get(code, 500))
            # The outermost handler answers outside our middleware.
            made.headers.update(protection.HEADERS)
            return made

        return handle

    invalid: Any = app.exception_handlers[RequestValidationError]
    app.add_exception_handler(HTTPException, handler(None, http_exception_handler))
    app.add_exception_handler(RequestValidationError, handler(422, invalid))
    app.add_exception_handler(Exception, handler(500, _failed))
    for away in _AWAY:
        app.add_exception_handler(away, handler(503, _away))
    app.add_middleware(_Cancelled, answer=handler(503, _away))


class _Cancelled:
    """Answers what a connection that PostgreSQL ended cancels: no ``Exception``, so no handler sees it."""

    def __init__(self, app: ASGIApp, answer: Handler) -> None:
        self._app = app
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_seen(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_seen)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            ending = task is None or task.cancelling() > 0
            if scope["type"] != "http" or started or ending:
                raise
            response = await self._answer(Request(scope), error)
            await response(scope, receive, send)


def _wants_page(request: Request) -> bool:
    return not request.url.path.startswith(_FOR_PROGRAMS) and "text/html" in request.headers.get("accept", "")


async def _failed(_: Request, __: Exception) -> Response:
    return JSONResponse({"detail": "this service failed; see its log"}, 500)


async def _away(_: Request, __: Exception) -> Response:
    return JSONResponse({"detail": "the database does not answer; ask again"}, 503, {"retry-after": "2"})
