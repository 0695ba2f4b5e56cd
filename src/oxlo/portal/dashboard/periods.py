"""Periods of whole UTC days, the last of them today. Pure."""

from oxlo.ledger.windows import DAY

#: Days, as addresses have them, and the words for them.
PERIODS = {"1": "Today", "7": "7 days", "30": "30 days", "90": "90 days"}
#: Figures by the hour are shown of so many days at most.
MOST_HOURLY = 7


def bounds(days: int, now: float) -> tuple[float, float]:
    """The unix seconds at which so many days begin, and at which today ends."""
    end = (now // DAY + 1) * DAY
    return end - days * DAY, end
