"""By the token or by the request: which is cheaper for a piece of work. Pure, and honest."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from oxlo.catalogue import Model
from oxlo.plans import Plan, Plans
from oxlo.portal.rates import Rate

#: Days of a month.
DAYS = 30


class Work(NamedTuple):
    """What is to be done, each day."""

    calls: int
    #: For each call.
    tokens_in: int
    tokens_out: int


class Offer(NamedTuple):
    """What a provider would charge by the token."""

    rate: Rate
    #: Dollars a month.
    monthly: float
    #: Input tokens a call from which the plan is cheaper; 0: always. None: no call that the plan
    #: takes is long enough.
    break_even: int | None


class Comparison(NamedTuple):
    """A plan beside those who charge by the token, cheapest first."""

    work: Work
    model: Model
    #: None: no plan covers the work, for these reasons.
    plan: Plan | None
    reasons: tuple[str, ...]
    offers: tuple[Offer, ...]

    @property
    def cheapest(self) -> Offer | None:
        """The cheapest of those who charge by the token."""
        return self.offers[0] if self.offers else None

    @property
    def saving(self) -> float:
        """Dollars a month that the plan saves beside the cheapest; below 0: that it costs more."""
        if self.plan is None or self.plan.price_usd is None or not self.offers:
            return 0.0
        return self.offers[0].monthly - self.plan.price_usd


def compare(plans: Plans, rates: Iterable[Rate], model: Model, work: Work) -> Comparison:
    """The cheapest plan that covers the work, beside each known rate for the model."""
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
    """The cheapest plan with a price that opens the model and takes all of the work."""
    return next((p for p in plans if p.price_usd is not None and _covers(p, model, work)), None)


def _covers(plan: Plan, model: Model, work: Work) -> bool:
    return (
        plan.opens(model.tier)
        and work.calls <= (plan.requests_per_day or work.calls)
        and work.tokens_in <= (plan.max_input_tokens or work.tokens_in)
        and work.tokens_out <= (plan.max_output_tokens or work.tokens_out)
    )


def _reasons(plans: Plans, model: Model, work: Work) -> tuple[str, ...]:
    """Why no plan with a price takes the work."""
    priced = [p for p in plans if p.price_usd is not None and p.opens(model.tier)]
    checks = (
        ("requests a day", work.calls, [p.requests_per_day for p in priced]),
        ("input tokens a call", work.tokens_in, [p.max_input_tokens for p in priced]),
        ("output tokens a call", work.tokens_out, [p.max_output_tokens for p in priced]),
    )
    return tuple(
        f"{wanted:,} {what}; the most that a plan takes is {most:,}".replace(",", "\u202f")
        for what, wanted, caps in checks
        if (most := _most(caps)) is not None and wanted > most
    )


def _most(caps: Sequence[int | None]) -> int | None:
    """The highest cap; None where one plan has none."""
    known = [cap for cap in caps if cap is not None]
    return max(known) if known and len(known) == len(caps) else None


def monthly(rate: Rate, work: Work) -> float:
    """Dollars a month by the token."""
    return rate.call(work.tokens_in, work.tokens_out) * work.calls * DAYS


def break_even(rate: Rate, plan: Plan | None, work: Work) -> int | None:
    """Input tokens a call from which the plan is cheaper, with the same calls and answers."""
    if plan is None or plan.price_usd is None or not work.calls or not rate.input:
        return None
    spare = plan.price_usd / (work.calls * DAYS) - rate.call(0, work.tokens_out)
    tokens = max(0, round(spare * 1_000_000 / rate.input))
    return None if plan.max_input_tokens and tokens > plan.max_input_tokens else tokens
