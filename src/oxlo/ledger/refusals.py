"""Errors for exceeded limits: which limit, how much was used, and when it resets."""

import math

from oxlo.errors import ConcurrencyExceeded, DailyLimitExceeded, MinuteLimitExceeded
from oxlo.ledger.windows import DAY, MINUTE, iso
from oxlo.plans import Plan

#: The longest retry delay suggested for a lease; estimates beyond it are unreliable.
_LONGEST_WAIT = 60


def day_used_up(plan: Plan, day: int, now: float) -> DailyLimitExceeded:
    """The error for a used-up daily limit."""
    end = (day + 1) * DAY
    return DailyLimitExceeded(
        f"All {plan.requests_per_day} requests that the {plan.name} plan allows a day are used. "
        f"They reset at {iso(end)}.",
        retry_after=_seconds(end - now),
        limit=plan.requests_per_day,
        daily_limit=plan.requests_per_day,
        remaining=0,
        reset_at=iso(end),
    )


def minute_used_up(plan: Plan, minute: int, now: float) -> MinuteLimitExceeded:
    """The error for a used-up minute limit."""
    end = (minute + 1) * MINUTE
    return MinuteLimitExceeded(
        f"All {plan.requests_per_minute} requests that the {plan.name} plan allows a minute are "
        f"used. They reset at {iso(end)}.",
        retry_after=_seconds(end - now),
        limit=plan.requests_per_minute,
        daily_limit=plan.requests_per_day,
        remaining=0,
        reset_at=iso(end),
    )


def line_limit(plan: Plan) -> int:
    """How many calls of an account may wait for a lease."""
    return (plan.concurrency or 0) * 2 + 8


def all_leases_taken(plan: Plan, waiting: int, call_seconds: float) -> ConcurrencyExceeded:
    """The error for a call that waited in vain while all of its account's leases were taken.

    `call_seconds` is the account's mean call duration: `concurrency` leases are freed in that time.
    """
    wait = call_seconds * (waiting + 1) / (plan.concurrency or 1)
    return ConcurrencyExceeded(
        f"The {plan.name} plan allows {_at_once(plan)} at the same time, and as many are under "
        "way. Wait for one to finish.",
        retry_after=min(_LONGEST_WAIT, _seconds(wait)),
        limit=plan.concurrency,
        daily_limit=plan.requests_per_day,
    )


def _at_once(plan: Plan) -> str:
    return "1 request" if plan.concurrency == 1 else f"{plan.concurrency} requests"


def _seconds(wait: float) -> int:
    return max(1, math.ceil(wait))
