"""The public application: requests that gateways relay because they are not inference."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oxlo.control import live, media, metrics, replies, requests, status, usage
from oxlo.control.context import Control
from oxlo.objects import links
from oxlo.portal import portal, site
from oxlo.portal.routes import routes as pages
from oxlo.portal.security import SecurityHeaders
from oxlo.portal.sessions import SignedIn


async def _health(_request: Request) -> Response:
    return replies.json({"status": "ok"})


def app(control: Control) -> Starlette:
    """The application behind `settings.control_socket`."""
    routes = [
        Route("/healthz", _health),
        Route("/metrics", metrics.endpoint),
        Route("/status.json", status.endpoint),
        Route(f"{links.PATH}{{name}}", media.endpoint),
        Route("/v1/requests", requests.listing),
        Route("/v1/requests/{id}", requests.endpoint),
        Route("/v1/usage", usage.endpoint),
        *pages(),
    ]
    made = Starlette(
        routes=routes,
        exception_handlers=replies.HANDLERS,
        middleware=[Middleware(SecurityHeaders), Middleware(SignedIn)],
    )
    made.router.redirect_slashes = False  # pages have a route for it
    here = site.build(control.settings, control.database, control.status, clock=control.clock)
    here.attach(made)
    portal.build(here, live.build(control)).attach(made)
    return control.attach(made)
