"""`GET /`: the home page for browsers, links as JSON for programs."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from oxlo import __version__
from oxlo.portal import calculator, highlighting, model_list, models, pricing
from oxlo.portal.model_list import Row
from oxlo.portal.pages import wants_page
from oxlo.portal.site import Site

#: Model in snippets if no model is ready.
_FALLBACK = "smollm2-135m"


async def page(request: Request) -> Response:
    """The home page, or links as JSON."""
    site = Site.of(request)
    if wants_page(request):
        context = _context(request)
        return site.pages.respond(request, "home.html", context, headers={"vary": "accept, cookie"})
    return Response(
        msgspec.json.encode(_about(site.settings.base_url)),
        headers={"vary": "accept"},
        media_type="application/json",
    )


async def ready(request: Request) -> Response:
    """The list of ready models, for htmx."""
    site = Site.of(request)
    return site.pages.respond(request, "ready.html", _ready(site))


def _context(request: Request) -> dict[str, Any]:
    site = Site.of(request)
    ready_models = _ready(site)
    model = example_model(ready_models["rows"])
    return (
        ready_models
        | calculator.context(site, request.query_params)
        | pricing.plans_context(request)
        | {
            "panels": highlighting.panels("chat", site.settings.base_url, model),
            "chat_model": model,
            "categories": model_list.CATEGORIES,
            "count": len(site.catalogue),
            "free": next(iter(site.plans)),
        }
    )


def _ready(site: Site) -> dict[str, Any]:
    rows = model_list.rows(site.catalogue, models.current(site))
    return {
        "rows": [row for row in rows if row.state in ("ready", "starting")],
        "now": site.clock(),
    }


def example_model(rows: list[Row]) -> str:
    """The model in snippets: a ready chat model."""
    return next(
        (row.model.id for row in rows if "chat" in row.model.abilities and row.state == "ready"),
        _FALLBACK,
    )


def _about(base: str) -> dict[str, object]:
    links = {
        "models": f"{base}/v1/models",
        "health": f"{base}/healthz",
        "docs": f"{base}/docs",
        "openapi": f"{base}/openapi.json",
    }
    return {"name": "oxlo", "version": __version__, "base_url": f"{base}/v1", "links": links}
