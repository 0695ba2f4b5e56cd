"""GET /v1/limits: an account's limits, its usage and when it resets."""

from typing import Any

from oxlo.ledger.windows import Window, day_of, iso
from oxlo.plans import Plan
from oxlo.plans.caller import Caller


def limits(
    caller: Caller, plan: Plan, day: Window, minute: Window, in_use: int, now: float
) -> dict[str, Any]:
    """The body of GET /v1/limits; null means no limit."""
    trial = caller.trial_until > now
    tiers = plan.tiers | plan.trial_tiers if trial else plan.tiers
    return {
        "object": "limits",
        "account": caller.account_name,
        "plan": plan.id,
        "plan_name": plan.name,
        "trial_until": iso(caller.trial_until) if trial else None,
        "day": window(day, now) | {"granted": caller.granted(day_of(now))},
        "minute": window(minute, now),
        "concurrency": {"limit": plan.concurrency, "in_use": in_use},
        "max_input_tokens": plan.max_input_tokens,
        "max_output_tokens": plan.max_output_tokens,
        "max_body_mb": plan.max_body_mb,
        "tiers": sorted(tiers),
        "queue": plan.queue,
    }


def window(of: Window, now: float) -> dict[str, Any]:
    """One window in the response."""
    return {
        "limit": of.limit,
        "used": of.used,
        "remaining": of.remaining,
        "resets_at": iso(int(now) + of.resets_in),
        "resets_in": of.resets_in,
    }
