"""The cost calculator: reads what was asked, shows what it comes to."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from oxlo.catalogue import Model
from oxlo.portal import charts, costs, words
from oxlo.portal.charts import Line, Mark
from oxlo.portal.costs import Comparison, Work
from oxlo.portal.site import Site

DEFAULT_MODEL = "llama-3.3-70b"
DEFAULT = Work(500, 3000, 300)
#: Of each field: what is taken at most.
_MOST = Work(1_000_000, 1_000_000, 1_000_000)
#: Points of a line.
_POINTS = 24


def context(site: Site, query: Mapping[str, str]) -> dict[str, Any]:
    """What the template needs; a field that cannot be read has its default, and a word about it."""
    problems: dict[str, str] = {}
    work = Work(*(_read(name, query, problems) for name in Work._fields))
    choices = priced(site)
    model = next((m for m in choices if m.id == query.get("model")), None)
    model = model or next((m for m in choices if m.id == DEFAULT_MODEL), choices[0])
    found = costs.compare(site.plans, site.rates, model, work)
    return {
        "work": work,
        "problems": problems,
        "choices": choices,
        "compared": found,
        "verdict": verdict(found),
        "cost_chart": chart(found),
        "cost_rows": table(found),
    }


def priced(site: Site) -> list[Model]:
    """The models that somebody has a known rate for."""
    known = {rate.model for rate in site.rates}
    return sorted((m for m in site.catalogue if m.id in known), key=lambda m: m.name.lower())


def _read(name: str, query: Mapping[str, str], problems: dict[str, str]) -> int:
    default, most = getattr(DEFAULT, name), getattr(_MOST, name)
    given = query.get(name, "").replace("\u202f", "").replace(" ", "").replace(",", "")
    if not given:
        return int(default)
    if not given.isdecimal() or not 0 < int(given) <= most:
        problems[name] = f"Give a whole number from 1 to {words.count(most)}."
        return int(default)
    return int(given)


def verdict(found: Comparison) -> tuple[str, str]:
    """Kind and sentence: what it comes to, whoever wins."""
    plan, cheapest = found.plan, found.cheapest
    if plan is None:
        return "warn", f"No plan with a price covers that: {'; '.join(found.reasons)}."
    if cheapest is None or plan.price_usd is None:
        return "off", "No per-token rate is known for this model."
    if found.saving > 0:
        return "ok", f"{plan.name} is cheaper: {_beside(found)}, {words.money(found.saving)} less."
    text = f"Paying by the token is cheaper: {_beside(found)}, {words.money(-found.saving)} less."
    if cheapest.break_even is None:
        return "warn", f"{text} No prompt that {plan.name} takes is long enough to change that."
    from_ = words.count(cheapest.break_even)
    return "warn", f"{text} {plan.name} is cheaper from {from_} input tokens a call."


def _beside(found: Comparison) -> str:
    assert found.plan is not None
    assert found.cheapest is not None
    plan = f"{found.plan.name} {words.money(found.plan.price_usd)} a month"
    other = f"{found.cheapest.rate.provider} {words.money(found.cheapest.monthly)}"
    return f"{other} against {plan}" if found.saving <= 0 else f"{plan} against {other}"


def chart(found: Comparison) -> Markup:
    """Dollars a month by input tokens a call: a line a provider, and the plan, which is flat."""
    most = (found.plan and found.plan.max_input_tokens) or max(16384, found.work.tokens_in)
    points = [most * step / _POINTS for step in range(_POINTS + 1)]
    shown = _shown(found)
    lines = [Line(_flat(found), [_price(found)] * len(points))] if found.plan else []
    for offer in shown:
        monthly = [
            costs.monthly(offer.rate, found.work._replace(tokens_in=int(tokens)))
            for tokens in points
        ]
        lines.append(Line(offer.rate.provider, monthly))
    labels = [words.count(most * step / 4) for step in range(5)]
    mark = Mark(min(1.0, found.work.tokens_in / most), "your calls")
    title = f"Dollars a month for {found.model.name} by input tokens a call"
    return charts.lines(title, lines, labels, write=words.money, marks=[mark])


def _shown(found: Comparison) -> list[costs.Offer]:
    """The cheapest, the dearest and one between: more lines cannot be told apart."""
    offers = found.offers
    places = sorted({0, len(offers) // 2, len(offers) - 1})
    return [offers[place] for place in places if 0 <= place < len(offers)]


def _flat(found: Comparison) -> str:
    return found.plan.name if found.plan else ""


def _price(found: Comparison) -> float:
    return (found.plan.price_usd or 0.0) if found.plan else 0.0


def table(found: Comparison) -> list[dict[str, Any]]:
    """A row for each offer, and the plan among them, cheapest first."""
    rows: list[dict[str, Any]] = [
        {"name": o.rate.provider, "monthly": o.monthly, "offer": o} for o in found.offers
    ]
    if found.plan is not None:
        rows.append({"name": f"Oxlo {found.plan.name}", "monthly": _price(found), "offer": None})
    return sorted(rows, key=lambda row: row["monthly"])
