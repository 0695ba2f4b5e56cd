"""The public application: what a gateway relays because it is not inference."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oxlo import __version__
from oxlo.control import media, metrics, replies, requests, usage
from oxlo.control.context import Control
from oxlo.objects import links


async def _front(request: Request) -> Response:
    base = Control.of(request).settings.base_url
    links = {"models": f"{base}/v1/models", "health": f"{base}/healthz"}
    about = {"name": "oxlo", "version": __version__, "base_url": f"{base}/v1", "links": links}
    return replies.json(about)


async def _health(_request: Request) -> Response:
    return replies.json({"status": "ok"})


def app(control: Control) -> Starlette:
    """The application behind `settings.control_socket`."""
    routes = [
        Route("/", _front),
        Route("/healthz", _health),
        Route("/metrics", metrics.endpoint),
        Route(f"{links.PATH}{{name}}", media.endpoint),
        Route("/v1/requests/{id}", requests.endpoint),
        Route("/v1/usage", usage.endpoint),
    ]
    return control.attach(Starlette(routes=routes, exception_handlers=replies.HANDLERS))
