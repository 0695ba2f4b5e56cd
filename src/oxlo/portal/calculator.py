"""The cost calculator: reads the form, compares costs."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from oxlo.catalogue import Model
from oxlo.portal import charts, costs, formats
from oxlo.portal.charts import Line, Mark
from oxlo.portal.costs import Comparison, Work
from oxlo.portal.site import Site

DEFAULT_MODEL = "llama-3.3-70b"
DEFAULT = Work(500, 3000, 300)
#: Maximum of each field.
_MAX = Work(1_000_000, 1_000_000, 1_000_000)
_MAX_DIGITS = 30
#: Intervals of a chart line.
_POINTS = 24


def context(site: Site, query: Mapping[str, str]) -> dict[str, Any]:
    """Template context; an invalid field falls back to its default and reports a problem."""
    problems: dict[str, str] = {}
    work = Work(*(_read(name, query, problems) for name in Work._fields))
    choices = priced(site)
    model = next((m for m in choices if m.id == query.get("model")), None)
    model = model or next((m for m in choices if m.id == DEFAULT_MODEL), choices[0])
    comparison = costs.compare(site.plans, site.rates, model, work)
    return {
        "work": work,
        "problems": problems,
        "choices": choices,
        "compared": comparison,
        "verdict": verdict(comparison),
        "cost_chart": chart(comparison),
        "cost_rows": table(comparison),
    }


def priced(site: Site) -> list[Model]:
    """Models for which a provider's rate is known."""
    known = {rate.model for rate in site.rates}
    return sorted((m for m in site.catalogue if m.id in known), key=lambda m: m.name.lower())


def _read(name: str, query: Mapping[str, str], problems: dict[str, str]) -> int:
    default, limit = getattr(DEFAULT, name), getattr(_MAX, name)
    text = query.get(name, "").replace("\u202f", "").replace(" ", "").replace(",", "")
    if not text:
        return int(default)
    if not text.isdecimal() or len(text) > _MAX_DIGITS or not 0 < int(text) <= limit:
        problems[name] = f"Give a whole number from 1 to {formats.count(limit)}."
        return int(default)
    return int(text)


def verdict(comparison: Comparison) -> tuple[str, str]:
    """The result as a badge kind and a sentence."""
    plan, cheapest = comparison.plan, comparison.cheapest
    if plan is None:
        return "warn", f"No plan with a price covers that: {'; '.join(comparison.reasons)}."
    if cheapest is None or plan.price_usd is None:
        return "off", "No per-token rate is known for this model."
    less = f"{formats.money(abs(comparison.saving))} less"
    if comparison.saving > 0:
        return "ok", f"{plan.name} is cheaper: {_both(comparison)}, {less}."
    text = f"Paying by the token is cheaper: {_both(comparison)}, {less}."
    if cheapest.break_even is None:
        return "warn", f"{text} No prompt that {plan.name} takes is long enough to change that."
    from_ = formats.count(cheapest.break_even)
    return "warn", f"{text} {plan.name} is cheaper from {from_} input tokens a call."


def _both(comparison: Comparison) -> str:
    assert comparison.plan is not None
    assert comparison.cheapest is not None
    plan = f"{comparison.plan.name} {formats.money(comparison.plan.price_usd)} a month"
    other = f"{comparison.cheapest.rate.provider} {formats.money(comparison.cheapest.monthly)}"
    return f"{other} against {plan}" if comparison.saving <= 0 else f"{plan} against {other}"


def chart(comparison: Comparison) -> Markup:
    """Dollars a month by input tokens per request: a line per provider, and the plan's flat one."""
    limit = (comparison.plan and comparison.plan.max_input_tokens) or max(
        16384, comparison.work.tokens_in
    )
    points = [limit * step / _POINTS for step in range(_POINTS + 1)]
    charted = _charted(comparison)
    lines = (
        [Line(_plan_name(comparison), [_price(comparison)] * len(points))]
        if comparison.plan
        else []
    )
    for offer in charted:
        monthly = [
            costs.monthly(offer.rate, comparison.work._replace(tokens_in=int(tokens)))
            for tokens in points
        ]
        lines.append(Line(offer.rate.provider, monthly))
    labels = [formats.count(limit * step / 4) for step in range(5)]
    mark = Mark(min(1.0, comparison.work.tokens_in / limit), "your calls")
    title = f"Dollars a month for {comparison.model.name} by input tokens a call"
    return charts.lines(title, lines, labels, write=formats.money, marks=[mark])


def _charted(comparison: Comparison) -> list[costs.Offer]:
    """The cheapest, the dearest and one between; more lines would be hard to tell apart."""
    offers = comparison.offers
    places = sorted({0, len(offers) // 2, len(offers) - 1})
    return [offers[place] for place in places if 0 <= place < len(offers)]


def _plan_name(comparison: Comparison) -> str:
    return comparison.plan.name if comparison.plan else ""


def _price(comparison: Comparison) -> float:
    return (comparison.plan.price_usd or 0.0) if comparison.plan else 0.0


def table(comparison: Comparison) -> list[dict[str, Any]]:
    """A row for each offer and for the plan, cheapest first."""
    rows: list[dict[str, Any]] = [
        {"name": o.rate.provider, "monthly": o.monthly, "offer": o} for o in comparison.offers
    ]
    if comparison.plan is not None:
        rows.append(
            {"name": f"Oxlo {comparison.plan.name}", "monthly": _price(comparison), "offer": None}
        )
    return sorted(rows, key=lambda row: row["monthly"])
