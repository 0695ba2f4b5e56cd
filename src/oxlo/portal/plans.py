"""Plans as text: cards and the comparison table."""

from oxlo.plans import Plan
from oxlo.portal import formats

_QUEUES = {
    "best_effort": "Best effort",
    "high": "High",
    "highest": "Highest",
    "dedicated": "Dedicated",
}


def lines(plan: Plan) -> list[str]:
    """The lines on a plan's card."""
    result = [
        f"{formats.count(plan.requests_per_day, 'Unlimited')} requests a day",
        _pace(plan),
        _tokens(plan.max_input_tokens, "input tokens a request"),
        _tokens(plan.max_output_tokens, "output tokens"),
        _models(plan),
        f"Queue: {_QUEUES[plan.queue].lower()}",
    ]
    if plan.trial_days:
        result.append(f"First {formats.plural(plan.trial_days, 'day')}: every model, no card")
    return result


def _pace(plan: Plan) -> str:
    if plan.requests_per_minute is None and plan.concurrency is None:
        return "At any pace"
    minute = formats.count(plan.requests_per_minute, "any number")
    return f"{minute} a minute, {formats.count(plan.concurrency, 'any number')} at the same time"


def _tokens(cap: int | None, what: str) -> str:
    return (
        f"{formats.count(cap)} {what}"
        if cap
        else f"{what[0].upper()}{what[1:]}: the model's context"
    )


def _models(plan: Plan) -> str:
    all_tiers = {"free", "pro", "premium"}
    if plan.tiers >= all_tiers:
        return "Every model"
    return f"{' and '.join(tier.capitalize() for tier in sorted(plan.tiers))} models"


def comparison(plans: list[Plan]) -> list[tuple[str, list[str]]]:
    """Rows of the comparison table: label, and a value for each plan."""
    return [
        ("Price a month", [formats.money(p.price_usd, "Custom") for p in plans]),
        ("Requests a day", [formats.count(p.requests_per_day) for p in plans]),
        ("Requests a minute", [formats.count(p.requests_per_minute, "custom") for p in plans]),
        ("At the same time", [formats.count(p.concurrency, "custom") for p in plans]),
        ("Input tokens a request", [formats.count(p.max_input_tokens, "context") for p in plans]),
        ("Output tokens a request", [formats.count(p.max_output_tokens, "context") for p in plans]),
        ("Longest recording", [_minutes(p) for p in plans]),
        ("Largest body", [f"{p.max_body_mb}\u202fMB" for p in plans]),
        ("Models", [_models(p) for p in plans]),
        ("Queue priority", [_QUEUES[p.queue] for p in plans]),
        ("Trial", [_trial(p) for p in plans]),
        ("A request costs", [_price_per_request(p) for p in plans]),
    ]


def _minutes(plan: Plan) -> str:
    minutes = plan.max_audio_minutes
    return "any" if minutes is None else f"{minutes}\u202fmin"


def _trial(plan: Plan) -> str:
    return (
        f"{formats.plural(plan.trial_days, 'day')}, every model"
        if plan.trial_days
        else formats.DASH
    )


def _price_per_request(plan: Plan) -> str:
    """The price per request if the daily limit is used up."""
    if not plan.price_usd or not plan.requests_per_day:
        return formats.DASH if plan.price_usd is None else "nothing"
    return f"from {formats.money(plan.price_usd / (plan.requests_per_day * 30))}"
