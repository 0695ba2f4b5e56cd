"""An account's limits as text: what is left, when it resets, whether it will last. Pure."""

from datetime import UTC, datetime
from typing import NamedTuple

from oxlo.ledger.windows import DAY, day_of, day_resets_in, minute_resets_in
from oxlo.plans import Plan
from oxlo.portal.formats import count, span
from oxlo.store.standing import Used

_HOUR = 3600


class Limit(NamedTuple):
    """A limit: a complete sentence, and the numbers for its bar."""

    sentence: str
    used: int
    #: None: unlimited.
    limit: int | None
    #: Projected requests by the reset, at the last hour's rate; None: unknown.
    forecast: float | None = None
    #: Sentence saying when the limit will be reached at that rate; "" if it will not.
    warning: str = ""


def day(plan: Plan, used: Used, now: float) -> Limit:
    """Requests per day."""
    limit = None if plan.requests_per_day is None else plan.requests_per_day + used.granted
    resets_at = (day_of(now) + 1) * DAY
    reset_text = f"Resets in {span(day_resets_in(now))} (00:00 UTC)."
    if limit is None:
        return Limit(f"{_requests(used.day)} today, without a limit.", used.day, None)
    left = max(0, limit - used.day)
    sentence = f"{count(left)} of {_requests(limit)} left today. {reset_text}"
    if used.granted:
        sentence += f" {count(used.granted)} of them were granted to you."
    pace = used.last_hour / _HOUR
    forecast = used.day + pace * (resets_at - now) if pace else None
    return Limit(sentence, used.day, limit, forecast, _runs_out(left, pace, now, resets_at))


def minute(plan: Plan, used: Used, now: float) -> Limit:
    """Requests per minute."""
    limit = plan.requests_per_minute
    if limit is None:
        sentence = f"{_requests(used.minute)} this minute, without a limit."
        return Limit(sentence, used.minute, None)
    left = max(0, limit - used.minute)
    sentence = f"{count(left)} of {_requests(limit)} left this minute."
    sentence += f" Resets in {span(minute_resets_in(now))}."
    return Limit(sentence, used.minute, limit)


def concurrency(plan: Plan, used: Used) -> Limit:
    """Concurrent requests."""
    if plan.concurrency is None:
        return Limit(f"{_requests(used.running)} under way.", used.running, None)
    sentence = (
        f"{count(used.running)} of {count(plan.concurrency)} simultaneous requests under way."
    )
    return Limit(sentence, used.running, plan.concurrency)


def _runs_out(left: int, pace: float, now: float, resets_at: float) -> str:
    if not left:
        return "Today's requests are used up. Further calls are answered with 429 until the reset."
    if not pace or now + left / pace >= resets_at:
        return ""
    at = datetime.fromtimestamp(now + left / pace, UTC).strftime("%H:%M UTC")
    return f"At this pace you run out at {at}."


def _requests(number: int) -> str:
    return f"{count(number)} request{'' if number == 1 else 's'}"
