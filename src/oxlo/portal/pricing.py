"""`/pricing`: the plans as they are in force, and what they cost beside prices by the token."""

import csv
import io
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from oxlo.plans import Plan
from oxlo.portal import calculator, words
from oxlo.portal.site import Site

_CSV = (
    "provider",
    "usd_per_month",
    "usd_per_million_input_tokens",
    "usd_per_million_output_tokens",
    "plan_cheaper_from_input_tokens",
    "rate_checked",
    "rate_source",
)
_QUEUES = {
    "best_effort": "Best effort",
    "high": "High",
    "highest": "Highest",
    "dedicated": "Dedicated",
}


async def page(request: Request) -> Response:
    """Cards, comparison, calculator; with `auto_checkout`, the way to the checkout."""
    site, query = Site.of(request), request.query_params
    if query.get("auto_checkout") == "true" and query.get("plan") in sold(site):
        return RedirectResponse(_checkout(request, query["plan"]), 303)
    context = calculator.context(site, query) | plans_context(request)
    return site.pages.respond(request, "pricing.html", context)


async def calculation(request: Request) -> Response:
    """The calculator's result alone, for htmx."""
    site = Site.of(request)
    context = calculator.context(site, request.query_params)
    return site.pages.respond(request, "calculator_result.html", context)


async def figures(request: Request) -> Response:
    """The calculator's table as CSV."""
    site = Site.of(request)
    rows = calculator.context(site, request.query_params)["cost_rows"]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_CSV)
    writer.writerows(_figures(row) for row in rows)
    headers = {"content-disposition": 'attachment; filename="comparison.csv"'}
    return Response(text.getvalue(), headers=headers, media_type="text/csv; charset=utf-8")


def _figures(row: dict[str, Any]) -> list[Any]:
    offer = row["offer"]
    if offer is None:
        return [row["name"], f"{row['monthly']:.2f}", "", "", "", "", ""]
    rate = offer.rate
    cost = [row["name"], f"{row['monthly']:.2f}", rate.input, rate.output]
    return [*cost, offer.break_even, rate.checked, rate.source]


def plans_context(request: Request) -> dict[str, Any]:
    """The cards and the rows of the comparison."""
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
    """Where a plan is bought; by way of the login for those who are not known yet."""
    checkout = f"/dashboard/billing?plan={plan}&auto_checkout=true"
    if getattr(request.state, "user", None) is not None:
        return checkout
    return f"/login?returnUrl={quote(f'/pricing?plan={plan}&auto_checkout=true', safe='')}"


def _action(request: Request, plan: Plan) -> tuple[str, str]:
    """A card's link, and what it says."""
    if plan.price_usd is None:
        return "", ""
    if plan.price_usd == 0:
        return "/signup", "Sign up"
    return f"/pricing?plan={plan.id}&auto_checkout=true", f"Choose {plan.name}"


def lines(plan: Plan) -> list[str]:
    """What a card says of a plan."""
    said = [
        f"{words.count(plan.requests_per_day, 'Unlimited')} requests a day",
        _pace(plan),
        _tokens(plan.max_input_tokens, "input tokens a request"),
        _tokens(plan.max_output_tokens, "output tokens"),
        _models(plan),
        f"Queue: {_QUEUES[plan.queue].lower()}",
    ]
    if plan.trial_days:
        said.append(f"First {words.plural(plan.trial_days, 'day')}: every model, no card")
    return said


def _pace(plan: Plan) -> str:
    if plan.requests_per_minute is None and plan.concurrency is None:
        return "At any pace"
    minute = words.count(plan.requests_per_minute, "any number")
    return f"{minute} a minute, {words.count(plan.concurrency, 'any number')} at the same time"


def _tokens(cap: int | None, what: str) -> str:
    return (
        f"{words.count(cap)} {what}" if cap else f"{what[0].upper()}{what[1:]}: the model's context"
    )


def _models(plan: Plan) -> str:
    every = {"free", "pro", "premium"}
    if plan.tiers >= every:
        return "Every model"
    return f"{' and '.join(tier.capitalize() for tier in sorted(plan.tiers))} models"


def comparison(plans: list[Plan]) -> list[tuple[str, list[str]]]:
    """The rows of the table: what is limited, and how by each plan."""
    return [
        ("Price a month", [words.money(p.price_usd, "Custom") for p in plans]),
        ("Requests a day", [words.count(p.requests_per_day) for p in plans]),
        ("Requests a minute", [words.count(p.requests_per_minute, "custom") for p in plans]),
        ("At the same time", [words.count(p.concurrency, "custom") for p in plans]),
        ("Input tokens a request", [words.count(p.max_input_tokens, "context") for p in plans]),
        ("Output tokens a request", [words.count(p.max_output_tokens, "context") for p in plans]),
        ("Longest recording", [_minutes(p) for p in plans]),
        ("Largest body", [f"{p.max_body_mb}\u202fMB" for p in plans]),
        ("Models", [_models(p) for p in plans]),
        ("Queue priority", [_QUEUES[p.queue] for p in plans]),
        ("Trial", [_trial(p) for p in plans]),
        ("A request costs", [_each(p) for p in plans]),
    ]


def _minutes(plan: Plan) -> str:
    minutes = plan.max_audio_minutes
    return "any" if minutes is None else f"{minutes}\u202fmin"


def _trial(plan: Plan) -> str:
    return f"{words.plural(plan.trial_days, 'day')}, every model" if plan.trial_days else words.DASH


def _each(plan: Plan) -> str:
    """What one request comes to when all of them are used."""
    if not plan.price_usd or not plan.requests_per_day:
        return words.DASH if plan.price_usd is None else "nothing"
    return f"from {words.money(plan.price_usd / (plan.requests_per_day * 30))}"
