"""Routes of billing."""

from starlette.routing import BaseRoute, Route

from oxlo.portal.billing import page, webhook
from oxlo.portal.guard import account_form, account_page


def routes() -> list[BaseRoute]:
    """Routes of the billing page, and the webhook."""
    return [
        account_page(page.PATH, page.page),
        account_form(page.PATH, page.choose),
        account_form(f"{page.PATH}/manage", page.manage),
        Route(webhook.PATH, webhook.receive, methods=["POST"]),
    ]
