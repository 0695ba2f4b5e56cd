"""The addresses of operators."""

from starlette.routing import BaseRoute

from oxlo.portal.guard import console as page
from oxlo.portal.guard import decree
from oxlo.portal.operator import accounts, console, plans, wishes

_ONE = "/operator/accounts/{id}"


def routes() -> list[BaseRoute]:
    """The table."""
    return [
        page("/operator", accounts.page),
        page(_ONE, accounts.one),
        decree(f"{_ONE}/plan", accounts.set_plan),
        decree(f"{_ONE}/grant", accounts.grant),
        decree(f"{_ONE}/refund", accounts.refund),
        decree(f"{_ONE}/close", accounts.close),
        decree(f"{_ONE}/reopen", accounts.reopen),
        decree(f"{_ONE}/role", accounts.set_role),
        decree(f"{_ONE}/totp", accounts.end_totp),
        decree(f"{_ONE}/link", accounts.make_link),
        page("/operator/models", console.models),
        page("/operator/plans", plans.page),
        decree("/operator/plans", plans.save),
        page(wishes.PATH, wishes.page),
        decree(f"{wishes.PATH}/{{id}}", wishes.decide),
        page("/operator/promos", console.codes),
        decree("/operator/promos", console.make_code),
        decree("/operator/promos/end", console.end_code),
        page("/operator/audit", console.log),
        page("/operator/outbox", console.outbox),
    ]
