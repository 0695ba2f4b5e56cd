"""Routes of the operator console."""

from starlette.routing import BaseRoute

from oxlo.portal.guard import operator_form, operator_page
from oxlo.portal.operator import (
    accounts,
    calls,
    log,
    outbox,
    overview,
    plan_requests,
    plans,
    promos,
    replicas,
)

_ONE = f"{accounts.PATH}/{{id}}"


def routes() -> list[BaseRoute]:
    """Routes for operators."""
    return [
        operator_page(overview.PATH, overview.page),
        operator_page(f"{overview.PATH}/overview", overview.moved),
        operator_page(accounts.PATH, accounts.page),
        operator_page(_ONE, accounts.one),
        operator_page(f"{_ONE}/requests", calls.page),
        operator_page(f"{_ONE}/requests/{{call}}", calls.one),
        operator_form(f"{_ONE}/plan", accounts.set_plan),
        operator_form(f"{_ONE}/grant", accounts.grant),
        operator_form(f"{_ONE}/refund", accounts.refund),
        operator_form(f"{_ONE}/close", accounts.close),
        operator_form(f"{_ONE}/reopen", accounts.reopen),
        operator_form(f"{_ONE}/role", accounts.set_role),
        operator_form(f"{_ONE}/totp", accounts.end_totp),
        operator_form(f"{_ONE}/link", accounts.make_link),
        operator_page("/operator/models", replicas.page),
        operator_page("/operator/plans", plans.page),
        operator_form("/operator/plans", plans.save),
        operator_page(plan_requests.PATH, plan_requests.page),
        operator_form(f"{plan_requests.PATH}/{{id}}", plan_requests.decide),
        operator_page("/operator/promos", promos.page),
        operator_form("/operator/promos", promos.create),
        operator_form("/operator/promos/end", promos.end),
        operator_page("/operator/audit", log.page),
        operator_page("/operator/outbox", outbox.page),
    ]
