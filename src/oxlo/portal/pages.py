"""Renders templates with the variables that every page has."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from oxlo.ledger.windows import iso
from oxlo.portal import charts, formats
from oxlo.portal.assets import Assets

THEMES = ("light", "dark")
#: Cookie with the chosen theme; without it the system's setting applies.
THEME_COOKIE = "theme"


class Flash(NamedTuple):
    """A message at the top of a page."""

    kind: Literal["ok", "warn", "bad"]
    text: str


class Pages:
    """Renders templates. An undefined name is an error, not an empty string."""

    def __init__(self, assets: Assets, **shared: Any) -> None:
        """`shared` variables are available to every page."""
        self._environment = Environment(
            loader=PackageLoader("oxlo.portal", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            # Keep every compiled template.
            cache_size=-1,
        )
        self._environment.filters.update(_FILTERS)
        self._environment.globals.update(asset=assets.url, limit_bar=charts.limit_bar, **shared)

    def render(self, template: str, context: Mapping[str, Any]) -> str:
        """Render a template."""
        return self._environment.get_template(template).render(context)

    def respond(
        self,
        request: Request,
        template: str,
        context: Mapping[str, Any] | None = None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Render a page for a request, with `page_context(request)` and `context`."""
        text = self.render(template, page_context(request) | dict(context or {}))
        return HTMLResponse(
            text,
            status,
            headers={"cache-control": "private, no-cache", "vary": "cookie", **(headers or {})},
        )


def page_context(request: Request) -> dict[str, Any]:
    """Variables of every page, from its request.

    `user`, `csrf` and `flashes` come from the session in `request.state`; without a session they
    are None, "" and empty.
    """
    state = request.state
    return {
        "path": request.url.path,
        "here": _here(request),
        "query": request.query_params,
        "theme": theme(request),
        "user": getattr(state, "user", None),
        "csrf": getattr(state, "csrf", ""),
        "flashes": getattr(state, "flashes", ()),
    }


def _here(request: Request) -> str:
    """Path and query of the page, for forms that redirect back."""
    query = request.url.query
    return request.url.path + (f"?{query}" if query else "")


def theme(request: Request) -> str:
    """The chosen theme; "" for the system's."""
    chosen = request.cookies.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else ""


def wants_page(request: Request) -> bool:
    """Whether a browser requests HTML; API clients do not accept it explicitly."""
    return "text/html" in request.headers.get("accept", "")


def wants_part(request: Request) -> bool:
    """Whether htmx requests a fragment of a page."""
    return request.headers.get("hx-request") == "true"


_FILTERS = {
    "count": formats.count,
    "money": formats.money,
    "parameters": formats.parameters,
    "span": formats.span,
    "ms": formats.milliseconds,
    "moment": formats.timestamp,
    "iso": iso,
    "ago": formats.ago,
    "stamp": formats.stamp,
    "plural": lambda number, one, many="": formats.plural(number, one, many),
}
