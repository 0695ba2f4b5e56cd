"""The addresses of paying."""

from starlette.routing import BaseRoute, Route

from oxlo.portal.guard import change, mine
from oxlo.portal.paying import page, webhook


def routes() -> list[BaseRoute]:
    """The table."""
    return [
        mine(page.PATH, page.page),
        change(page.PATH, page.choose),
        change(f"{page.PATH}/manage", page.manage),
        Route(webhook.PATH, webhook.receive, methods=["POST"]),
    ]
