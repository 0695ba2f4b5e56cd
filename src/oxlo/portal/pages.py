"""Pages from templates: the environment, and what every page is given."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from oxlo.ledger.windows import iso
from oxlo.portal import charts, words
from oxlo.portal.assets import Assets

THEMES = ("light", "dark")
#: The cookie that keeps a reader's choice; without it the system's decides.
THEME_COOKIE = "theme"


class Flash(NamedTuple):
    """One message on top of a page."""

    kind: Literal["ok", "warn", "bad"]
    text: str


class Pages:
    """Renders templates. A name that nobody gave is an error, not an empty string."""

    def __init__(self, assets: Assets, **shared: Any) -> None:
        """`shared` names are given to every page."""
        self._environment = Environment(
            loader=PackageLoader("oxlo.portal", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            # None of them is worth compiling twice.
            cache_size=-1,
        )
        self._environment.filters.update(_FILTERS)
        self._environment.globals.update(asset=assets.url, limit_bar=charts.limit_bar, **shared)

    def render(self, template: str, context: Mapping[str, Any]) -> str:
        """A template's text."""
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
        """The page for a request: `given(request)` is there beside `context`."""
        text = self.render(template, given(request) | dict(context or {}))
        return HTMLResponse(
            text,
            status,
            headers={"cache-control": "private, no-cache", "vary": "cookie", **(headers or {})},
        )


def given(request: Request) -> dict[str, Any]:
    """What every page is given of its request.

    `user`, `csrf` and `flashes` are those that the session put into `request.state`: None, "" and
    none where nobody is signed in.
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
    """The address that is shown, without the host: where forms lead back to."""
    query = request.url.query
    return request.url.path + (f"?{query}" if query else "")


def theme(request: Request) -> str:
    """The reader's choice; "" when the system decides."""
    chosen = request.cookies.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else ""


def wants_page(request: Request) -> bool:
    """Whether a browser asks: API clients do not say that they take HTML."""
    return "text/html" in request.headers.get("accept", "")


def wants_part(request: Request) -> bool:
    """Whether htmx asks, which puts a part of a page into the one that is shown."""
    return request.headers.get("hx-request") == "true"


_FILTERS = {
    "count": words.count,
    "money": words.money,
    "parameters": words.parameters,
    "span": words.span,
    "ms": words.milliseconds,
    "moment": words.moment,
    "iso": iso,
    "ago": words.ago,
    "stamp": words.stamp,
    "plural": lambda number, one, many="": words.plural(number, one, many),
}
