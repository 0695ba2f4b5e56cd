"""An engine's HTTP: its routes behind a key, errors in OpenAI's shape, health and progress."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from oxlo.errors import ApiError, InternalError, InvalidApiKey
from oxlo.serving.brief import Brief
from oxlo.serving.work import Cancelled, Workers


@dataclass(frozen=True)
class Engine:
    """One loaded engine: what it answers, and what works for it."""

    routes: Sequence[Route]
    workers: Workers
    #: Bearer token that callers have to show; "" for none.
    api_key: str = ""
    port: int = 0
    #: What it may take when it has nothing to do, in MB; 0: whatever it takes.
    memory_mb: int = 0
    #: What of it is so short that a lone call need not take the way through the application.
    brief: Brief | None = None


def application(engine: Engine) -> ASGIApp:
    """The ASGI application of an engine."""

    async def metrics(request: Request) -> Response:
        workers = engine.workers
        return PlainTextResponse(
            f"oxlo_engine_busy {workers.busy}\noxlo_engine_work_total {workers.steps}\n"
        )

    app = Starlette(
        routes=[*engine.routes, Route("/metrics", metrics)],
        exception_handlers={
            ApiError: _refused,
            Cancelled: _cancelled,
            Exception: _crashed,
        },
    )
    return _Guard(app, f"Bearer {engine.api_key}".encode()) if engine.api_key else app


class _Guard:
    """Lets in whoever shows the key."""

    def __init__(self, app: ASGIApp, expected: bytes) -> None:
        self._app = app
        self._expected = expected

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            shown = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(shown, self._expected):
                await _reply(InvalidApiKey())(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _reply(error: ApiError) -> Response:
    return Response(error.body(), error.status, media_type="application/json")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return _reply(error)


async def _cancelled(request: Request, error: Exception) -> Response:
    return Response(status_code=499)  # nobody is there to read it


async def _crashed(request: Request, error: Exception) -> Response:
    return _reply(InternalError())  # its trace is in the engine's log
