"""The addresses of paying."""

from starlette.routing import BaseRoute, Route

from oxlo.portal.guard import account_form, account_page
from oxlo.portal.paying import page, webhook


def routes() -> list[BaseRoute]:
    """The table."""
    return [
        account_page(page.PATH, page.page),
        account_form(page.PATH, page.choose),
        account_form(f"{page.PATH}/manage", page.manage),
        Route(webhook.PATH, webhook.receive, methods=["POST"]),
    ]
