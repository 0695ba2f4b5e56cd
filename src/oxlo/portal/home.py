"""`GET /`: what this is, for people; for programs, where the API is."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from oxlo import __version__
from oxlo.portal.pages import wants_page
from oxlo.portal.site import Site


async def page(request: Request) -> Response:
    """The front page, or what a client needs to know as JSON."""
    site = Site.of(request)
    if wants_page(request):
        return site.pages.respond(request, "home.html", headers={"vary": "accept, cookie"})
    return Response(
        msgspec.json.encode(_about(site.settings.base_url)),
        headers={"vary": "accept"},
        media_type="application/json",
    )


def _about(base: str) -> dict[str, object]:
    links = {
        "models": f"{base}/v1/models",
        "health": f"{base}/healthz",
        "docs": f"{base}/docs",
        "openapi": f"{base}/openapi.json",
    }
    return {"name": "oxlo", "version": __version__, "base_url": f"{base}/v1", "links": links}
