"""Limits as text."""

from typing import Any

import msgspec
import pytest

from oxlo import plans
from oxlo.portal.dashboard import agents, limits
from oxlo.store.standing import Used

PLANS = plans.load()
#: 16:00:20 UTC.
NOW = 1_800_000_000.0 // 86400 * 86400 + 16 * 3600 + 20


def _used(**changes: Any) -> Used:
    none = {"day": 0, "minute": 0, "running": 0, "last_hour": 0, "hour_began": None, "granted": 0}
    return Used(**none | changes)


def test_left_today() -> None:
    """How many requests are left, of how many, and when they reset."""
    limit = limits.day(PLANS["free"], _used(day=23), NOW)
    assert limit.sentence == (
        "37 of 60 requests left today. Resets in 7\u202fh 59\u202fmin (00:00 UTC)."
    )
    assert (limit.used, limit.limit, limit.warning, limit.forecast) == (23, 60, "", None)


@pytest.mark.parametrize(
    ("plan", "day", "outlook", "warning"),
    [
        ("pro", 100, "At the last hour's pace: about 180 by the reset.", ""),
        ("free", 55, "", "At the last hour's pace you run out at 16:30 UTC."),
        ("free", 60, "", "Today's requests are used up."),
        ("free", 75, "", "Today's requests are used up."),
    ],
)
def test_forecast(plan: str, day: int, outlook: str, warning: str) -> None:
    """At the last hour's rate: exhausted before the reset, or not."""
    limit = limits.day(PLANS[plan], _used(day=day, last_hour=10, hour_began=NOW - 3000), NOW)
    assert limit.outlook == outlook
    assert limit.warning.startswith(warning)
    assert bool(limit.warning) == bool(warning)


@pytest.mark.parametrize(("requests", "seconds"), [(9, 3000), (55, 1700)])
def test_too_little_for_a_forecast(requests: int, seconds: int) -> None:
    """A few requests, or a burst a moment ago, say nothing about the rest of the day."""
    used = _used(day=55, last_hour=requests, hour_began=NOW - seconds)
    limit = limits.day(PLANS["free"], used, NOW)
    assert (limit.forecast, limit.outlook, limit.warning) == (None, "", "")


def test_grants_are_named() -> None:
    """Granted requests raise the limit and are mentioned."""
    limit = limits.day(PLANS["free"], _used(day=60, granted=10), NOW)
    assert limit.sentence.startswith("10 of 70 requests left today.")
    assert limit.sentence.endswith("10 of them were granted to you.")


def test_without_limits() -> None:
    """An unlimited plan has a count and no bar."""
    plan = msgspec.structs.replace(PLANS["enterprise"], concurrency=None)
    assert limits.day(plan, _used(day=1), NOW).sentence == "1 request today, without a limit."
    assert limits.minute(plan, _used(minute=2), NOW).limit is None
    assert limits.concurrency(plan, _used(running=3)).sentence == "3 requests under way."


def test_this_minute() -> None:
    """The minute limit resets in seconds."""
    limit = limits.minute(PLANS["free"], _used(minute=4), NOW)
    assert limit.sentence == "1 of 5 requests left this minute. Resets in 40\u202fs."


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Firefox 140 on Linux",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0) Chrome/140.0.0.0 Safari/537.36 Edg/140.0",
            "Edge 140 on Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1",
            "Safari 18 on iPhone",
        ),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", "unknown"),
    ],
)
def test_browsers_by_name(agent: str, name: str) -> None:
    """User-Agents are shown as browser and system."""
    assert agents.browser_name(agent) == name
