"""Periods of whole UTC days that end today. Pure."""

from oxlo.ledger.windows import DAY

#: Days, as in query parameters, with labels.
PERIODS = {"1": "Today", "7": "7 days", "30": "30 days", "90": "90 days"}
#: Maximum days of hourly figures.
MAX_HOURLY_DAYS = 7


def bounds(days: int, now: float) -> tuple[float, float]:
    """Start of the period and end of today, in unix seconds."""
    end = (now // DAY + 1) * DAY
    return end - days * DAY, end
