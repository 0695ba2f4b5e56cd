"""Error pages for browsers."""

from starlette.requests import Request
from starlette.responses import Response

from oxlo.errors import ApiError
from oxlo.portal.security import HEADERS
from oxlo.portal.site import Site

_TITLES = {
    400: "That request is not valid",
    401: "Log in first",
    403: "Not allowed",
    404: "Nothing here",
    405: "Not that way",
    429: "Too many requests",
    500: "This failed",
    503: "Back in a moment",
}


def page(request: Request, problem: ApiError) -> Response:
    """Render the page of an error."""
    context = {
        "title": _TITLES.get(problem.status, _TITLES[500]),
        "message": problem.message,
        "request_id": request.headers.get("x-request-id", "") if problem.status >= 500 else "",
    }
    # Responses to unexpected errors bypass the middleware that adds these headers.
    headers = dict(HEADERS)
    headers |= {} if problem.retry_after is None else {"retry-after": str(problem.retry_after)}
    headers |= {"allow": ", ".join(problem.allow)} if problem.allow else {}
    return Site.of(request).pages.respond(
        request, "problem.html", context, status=problem.status, headers=headers
    )
