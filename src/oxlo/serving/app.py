"""An engine's HTTP application: routes behind an API key, OpenAI's errors, progress metrics."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from oxlo.errors import ApiError, InternalError, InvalidApiKey
from oxlo.serving.fast_path import FastPath
from oxlo.serving.work import Cancelled, Workers


@dataclass(frozen=True)
class Engine:
    """A loaded engine: its routes and its thread pool."""

    routes: Sequence[Route]
    workers: Workers
    #: Bearer token that clients must send; "" disables the check.
    api_key: str = ""
    port: int = 0
    #: Memory limit when idle, in MB; 0: unlimited.
    memory_mb: int = 0
    #: The route whose lone short requests bypass the application.
    fast_path: FastPath | None = None


def application(engine: Engine) -> ASGIApp:
    """Build the ASGI application of an engine."""

    async def metrics(request: Request) -> Response:
        workers = engine.workers
        return PlainTextResponse(
            f"oxlo_engine_busy {workers.busy}\noxlo_engine_work_total {workers.steps}\n"
        )

    app = Starlette(
        routes=[*engine.routes, Route("/metrics", metrics)],
        exception_handlers={
            ApiError: _api_error,
            Cancelled: _cancelled,
            Exception: _crashed,
        },
    )
    return _KeyCheck(app, f"Bearer {engine.api_key}".encode()) if engine.api_key else app


class _KeyCheck:
    """Middleware that requires the API key."""

    def __init__(self, app: ASGIApp, expected: bytes) -> None:
        self._app = app
        self._expected = expected

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            sent = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(sent, self._expected):
                await _reply(InvalidApiKey())(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _reply(error: ApiError) -> Response:
    return Response(error.body(), error.status, media_type="application/json")


async def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return _reply(error)


async def _cancelled(request: Request, error: Exception) -> Response:
    return Response(status_code=499)  # the client has disconnected


async def _crashed(request: Request, error: Exception) -> Response:
    return _reply(InternalError())  # the traceback is in the engine's log
