"""Compares prices per token and per request for a workload. Pure."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from oxlo.catalogue import Model
from oxlo.plans import Plan, Plans
from oxlo.portal.rates import Rate

#: Days in a month.
DAYS = 30


class Work(NamedTuple):
    """A daily workload."""

    calls: int
    #: Per request.
    tokens_in: int
    tokens_out: int


class Offer(NamedTuple):
    """The cost of the workload at a provider that charges by the token."""

    rate: Rate
    #: Dollars a month.
    monthly: float
    #: Input tokens per request from which the plan is cheaper; 0: always; None: the plan accepts no
    #: prompt that is long enough.
    break_even: int | None


class Comparison(NamedTuple):
    """A plan beside providers that charge by the token, cheapest first."""

    work: Work
    model: Model
    #: None: no plan covers the workload, for these reasons.
    plan: Plan | None
    reasons: tuple[str, ...]
    offers: tuple[Offer, ...]

    @property
    def cheapest(self) -> Offer | None:
        """The cheapest offer by the token."""
        return self.offers[0] if self.offers else None

    @property
    def saving(self) -> float:
        """Dollars a month saved by the plan compared with the cheapest offer; may be negative."""
        if self.plan is None or self.plan.price_usd is None or not self.offers:
            return 0.0
        return self.offers[0].monthly - self.plan.price_usd


def compare(plans: Plans, rates: Iterable[Rate], model: Model, work: Work) -> Comparison:
    """Compare the cheapest plan that covers the workload with each known rate for the model."""
    plan = covering(plans, model, work)
    offers = [
        Offer(rate, monthly(rate, work), break_even(rate, plan, work))
        for rate in rates
        if rate.model == model.id
    ]
    reasons = () if plan else _reasons(plans, model, work)
    offers.sort(key=lambda offer: offer.monthly)
    return Comparison(work, model, plan, reasons, tuple(offers))


def covering(plans: Plans, model: Model, work: Work) -> Plan | None:
    """The cheapest priced plan that includes the model and covers the whole workload."""
    return next((p for p in plans if p.price_usd is not None and _covers(p, model, work)), None)


def _covers(plan: Plan, model: Model, work: Work) -> bool:
    return (
        plan.opens(model.tier)
        and work.calls <= (plan.requests_per_day or work.calls)
        and work.tokens_in <= (plan.max_input_tokens or work.tokens_in)
        and work.tokens_out <= (plan.max_output_tokens or work.tokens_out)
    )


def _reasons(plans: Plans, model: Model, work: Work) -> tuple[str, ...]:
    """Why no priced plan covers the workload."""
    priced = [p for p in plans if p.price_usd is not None and p.opens(model.tier)]
    checks = (
        ("requests a day", work.calls, [p.requests_per_day for p in priced]),
        ("input tokens a call", work.tokens_in, [p.max_input_tokens for p in priced]),
        ("output tokens a call", work.tokens_out, [p.max_output_tokens for p in priced]),
    )
    return tuple(
        f"{needed:,} {what}; the most that a plan takes is {most:,}".replace(",", "\u202f")
        for what, needed, caps in checks
        if (most := _highest_cap(caps)) is not None and needed > most
    )


def _highest_cap(caps: Sequence[int | None]) -> int | None:
    """The highest cap; None if a plan is uncapped."""
    known = [cap for cap in caps if cap is not None]
    return max(known) if known and len(known) == len(caps) else None


def monthly(rate: Rate, work: Work) -> float:
    """Dollars a month by the token."""
    return rate.call(work.tokens_in, work.tokens_out) * work.calls * DAYS


def break_even(rate: Rate, plan: Plan | None, work: Work) -> int | None:
    """Input tokens per request from which the plan is cheaper, all else being equal."""
    if plan is None or plan.price_usd is None or not work.calls or not rate.input:
        return None
    budget = plan.price_usd / (work.calls * DAYS) - rate.call(0, work.tokens_out)
    tokens = max(0, round(budget * 1_000_000 / rate.input))
    return None if plan.max_input_tokens and tokens > plan.max_input_tokens else tokens
