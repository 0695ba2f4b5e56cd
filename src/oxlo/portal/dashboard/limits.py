"""An account's limits as text: what is left, when it resets, whether it will last. Pure."""

from datetime import UTC, datetime
from typing import NamedTuple

from oxlo.ledger.windows import DAY, day_of, day_resets_in, minute_resets_in
from oxlo.plans import Plan
from oxlo.portal.formats import count, span
from oxlo.store.standing import Used

_HOUR = 3600
#: A forecast needs this many requests in the last hour, the first of them this many seconds ago:
#: a few calls, or a burst, say nothing about the rest of the day.
_ENOUGH_REQUESTS, _ENOUGH_SECONDS = 10, 1800


class Limit(NamedTuple):
    """A limit: a complete sentence, and the numbers for its bar."""

    sentence: str
    used: int
    #: None: unlimited.
    limit: int | None
    #: Projected requests by the reset, at the last hour's rate; None: unknown.
    forecast: float | None = None
    #: Sentence about the forecast; "": there is none.
    outlook: str = ""
    #: Sentence saying that the limit is reached, or when it will be at that rate; "": it will not.
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
    if not left:
        return Limit(sentence, used.day, limit, warning=_USED_UP)
    pace = _pace(used, now)
    if not pace:
        return Limit(sentence, used.day, limit)
    forecast = used.day + pace * (resets_at - now)
    if forecast >= limit:
        return Limit(sentence, used.day, limit, forecast, warning=_runs_out(left, pace, now))
    outlook = f"At the last hour's pace: about {count(round(forecast))} by the reset."
    return Limit(sentence, used.day, limit, forecast, outlook)


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


_USED_UP = "Today's requests are used up. Further calls are answered with 429 until the reset."


def _pace(used: Used, now: float) -> float:
    """Requests per second over the last hour; 0 if they were too few to tell."""
    if used.hour_began is None or now - used.hour_began < _ENOUGH_SECONDS:
        return 0.0
    return used.last_hour / _HOUR if used.last_hour >= _ENOUGH_REQUESTS else 0.0


def _runs_out(left: int, pace: float, now: float) -> str:
    at = datetime.fromtimestamp(now + left / pace, UTC).strftime("%H:%M UTC")
    return f"At the last hour's pace you run out at {at}."


def _requests(number: int) -> str:
    return f"{count(number)} request{'' if number == 1 else 's'}"
