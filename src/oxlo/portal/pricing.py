"""`/pricing`: the plans in force, compared with prices per token."""

import csv
import io
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from oxlo.plans import Plan
from oxlo.portal import calculator
from oxlo.portal.plans import comparison, lines
from oxlo.portal.site import Site

_CSV_HEADER = (
    "provider",
    "usd_per_month",
    "usd_per_million_input_tokens",
    "usd_per_million_output_tokens",
    "plan_cheaper_from_input_tokens",
    "rate_checked",
    "rate_source",
)


async def page(request: Request) -> Response:
    """Cards, comparison, calculator; with `auto_checkout`, redirect to the checkout."""
    site, query = Site.of(request), request.query_params
    if query.get("auto_checkout") == "true" and query.get("plan") in sold(site):
        return RedirectResponse(_checkout(request, query["plan"]), 303)
    context = calculator.context(site, query) | plans_context(request)
    return site.pages.respond(request, "pricing.html", context)


async def calculation(request: Request) -> Response:
    """The calculator's result, for htmx."""
    site = Site.of(request)
    context = calculator.context(site, request.query_params)
    return site.pages.respond(request, "calculator_result.html", context)


async def download(request: Request) -> Response:
    """The calculator's table as CSV."""
    site = Site.of(request)
    rows = calculator.context(site, request.query_params)["cost_rows"]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_CSV_HEADER)
    writer.writerows(_csv_row(row) for row in rows)
    headers = {"content-disposition": 'attachment; filename="comparison.csv"'}
    return Response(text.getvalue(), headers=headers, media_type="text/csv; charset=utf-8")


def _csv_row(row: dict[str, Any]) -> list[Any]:
    offer = row["offer"]
    if offer is None:
        return [row["name"], f"{row['monthly']:.2f}", "", "", "", "", ""]
    rate = offer.rate
    cost = [row["name"], f"{row['monthly']:.2f}", rate.input, rate.output]
    return [*cost, offer.break_even, rate.checked, rate.source]


def plans_context(request: Request) -> dict[str, Any]:
    """Template context of cards and comparison."""
    site = Site.of(request)
    plans = list(site.plans)
    return {
        "plans": [(plan, lines(plan), *_action(request, plan)) for plan in plans],
        "plan_names": [plan.name for plan in plans],
        "plan_rows": comparison(plans),
        "trial": next((plan.trial_days for plan in plans if plan.trial_days), 0),
    }


def sold(site: Site) -> set[str]:
    """Ids of the plans that can be bought."""
    return {plan.id for plan in site.plans if plan.price_usd}


def _checkout(request: Request, plan: str) -> str:
    """URL of a plan's checkout, through the login if needed."""
    checkout = f"/dashboard/billing?plan={plan}&auto_checkout=true"
    if getattr(request.state, "user", None) is not None:
        return checkout
    return f"/login?returnUrl={quote(f'/pricing?plan={plan}&auto_checkout=true', safe='')}"


def _action(request: Request, plan: Plan) -> tuple[str, str]:
    """Link and label of a card."""
    signed_in = getattr(request.state, "user", None) is not None
    if plan.price_usd is None:
        manual = not Site.of(request).settings.stripe_key
        return (
            (f"/dashboard/billing?plan={plan.id}", f"Ask for {plan.name}") if manual else ("", "")
        )
    if plan.price_usd == 0:
        return ("/dashboard", "Dashboard") if signed_in else ("/signup", "Sign up")
    return f"/pricing?plan={plan.id}&auto_checkout=true", f"Choose {plan.name}"
