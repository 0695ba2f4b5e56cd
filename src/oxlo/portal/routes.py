"""Routes of the whole website."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from oxlo.portal import (
    assets,
    crawlers,
    forms,
    guard,
    home,
    model_comparison,
    models,
    pricing,
    status,
)
from oxlo.portal.auth import routes as auth
from oxlo.portal.billing import routes as billing
from oxlo.portal.dashboard import routes as dashboard
from oxlo.portal.manual import pages as manual
from oxlo.portal.openapi import pages as openapi
from oxlo.portal.operator import routes as operator
from oxlo.portal.pages import THEME_COOKIE, theme
from oxlo.portal.playground import page as playground
from oxlo.portal.site import Site

Page = Callable[[Request], Awaitable[Response]]
_YEAR = 365 * 86400


async def _static(request: Request) -> Response:
    return Site.of(request).assets.reply(request)


async def _favicon(request: Request) -> Response:
    return RedirectResponse(Site.of(request).assets.url("favicon.svg"), 302)


#: Redirects from paths of the hosted product's site.
_MOVED = {
    "/privacy-policy": "/docs/privacy",
    "/data-processing-agreement": "/docs/privacy#what-only-the-operator-can-promise",
    "/term-of-use": "/docs/privacy#what-only-the-operator-can-promise",
    "/vs/together-ai": "/docs/migration#from-together-ai",
    "/vs/fireworks": "/docs/migration#from-fireworks",
    "/vs/openrouter": "/docs/migration#from-openrouter",
    "/vs/replicate": "/docs/replicate",
    "/vs": "/pricing#calculator",
    "/blogs": "/docs/changelog",
}


async def _moved(request: Request) -> Response:
    return RedirectResponse(_MOVED[request.url.path.rstrip("/")], 308)


async def _article(request: Request) -> Response:
    return RedirectResponse(_MOVED["/blogs"], 308)


async def _without_slash(request: Request) -> Response:
    """Redirect without a host: Starlette's own would name the internal one."""
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"/{request.path_params['path'].strip('/')}{query}", 307)


async def _theme(request: Request) -> Response:
    """Toggle between light and dark, for browsers without scripts."""
    target = forms.text(await forms.fields(request), "next")
    reply = RedirectResponse(guard.local_path(target, "/"), 303)
    chosen = "light" if theme(request) == "dark" else "dark"
    secure = request.headers.get("x-forwarded-proto") == "https"
    reply.set_cookie(THEME_COOKIE, chosen, _YEAR, samesite="lax", secure=secure)
    return reply


def routes() -> list[BaseRoute]:
    """All routes, in matching order."""
    return [
        Route("/", home.page),
        Route("/models", models.index),
        Route("/models/ready", home.ready),
        Route(model_comparison.PATH, model_comparison.page),
        Route("/models/{model:path}", models.page),
        Route("/pricing", pricing.page),
        Route("/docs", manual.front),
        Route("/docs/api-reference", openapi.reference),
        Route("/docs/search", manual.search),
        Route("/docs/{page:path}", manual.page),
        Route("/pricing/calculation", pricing.calculation),
        Route("/pricing/calculation.csv", pricing.download),
        Route("/status", status.page),
        Route("/openapi.json", openapi.raw),
        Route("/llms.txt", crawlers.llms),
        Route("/llms-full.txt", crawlers.llms_full),
        Route("/.well-known/ai.txt", crawlers.ai),
        Route("/.well-known/security.txt", crawlers.security),
        Route("/robots.txt", crawlers.robots),
        Route("/sitemap.xml", crawlers.sitemap),
        Route(f"{assets.PATH}{{name}}", _static),
        Route("/favicon.ico", _favicon),
        *(Route(path, _moved) for path in _MOVED),
        Route("/blogs/{slug}", _article),
        Route("/theme", _theme, methods=["POST"]),
        *auth.routes(),
        *dashboard.routes(),
        *billing.routes(),
        *playground.routes(),
        *operator.routes(),
        Route("/{path:path}/", _without_slash),
    ]
