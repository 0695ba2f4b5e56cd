"""Control's responses: JSON, also for errors; error pages for browsers."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from oxlo.errors import ApiError, InternalError, MethodNotAllowed, NotFound, Overloaded
from oxlo.portal import problems
from oxlo.portal.pages import wants_page
from oxlo.store.errors import DatabaseUnavailable

Handler = Callable[[Request, Exception], Awaitable[Response]]

log = structlog.get_logger()


def json(value: Any, status: int = 200) -> Response:
    """A JSON response."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def error(problem: ApiError) -> Response:
    """An error response in OpenAI's shape."""
    headers = {} if problem.retry_after is None else {"retry-after": str(problem.retry_after)}
    headers |= {"allow": ", ".join(problem.allow)} if problem.allow else {}
    return Response(problem.body(), problem.status, headers, media_type="application/json")


def answer(request: Request, problem: ApiError) -> Response:
    """An error response: a page for browsers outside /v1/, JSON otherwise."""
    if wants_page(request) and not request.url.path.startswith("/v1/"):
        return problems.page(request, problem)
    return error(problem)


async def _api_error(request: Request, problem: Exception) -> Response:
    return answer(request, problem if isinstance(problem, ApiError) else InternalError())


async def _http_error(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    if problem.status_code == 405:
        allowed = (problem.headers or {}).get("Allow", "GET")
        return answer(request, MethodNotAllowed.at(request.url.path, *allowed.split(", ")))
    if problem.status_code == 404:
        return answer(request, NotFound(f"There is nothing at {request.url.path}."))
    return answer(request, InternalError())


async def _no_database(request: Request, problem: Exception) -> Response:
    log.error("database.unavailable", error=str(problem), **_where(request))
    return no_database(request)


def no_database(request: Request) -> Response:
    """The response while the database cannot be used."""
    return answer(
        request, Overloaded("The account database cannot be reached right now.", retry_after=2)
    )


async def _unforeseen(request: Request, problem: Exception) -> Response:
    # uvicorn logs the traceback, on the following line.
    log.error("request.failed", error=type(problem).__name__, **_where(request))
    return answer(request, InternalError())


def _where(request: Request) -> dict[str, str]:
    return {"path": request.url.path, "request_id": request.headers.get("x-request-id", "")}


#: Starlette's exception handlers, by exception class.
HANDLERS: dict[Any, Handler] = {
    ApiError: _api_error,
    HTTPException: _http_error,
    DatabaseUnavailable: _no_database,
    Exception: _unforeseen,
}
