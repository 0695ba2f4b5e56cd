"""Parses the Retry-After header of an upstream server whose quota is used up."""

from email.utils import parsedate_to_datetime
from typing import Final

#: Default delay and upper bound in seconds; the server is tried again at least once a day.
_UNSAID: Final = 2.0
_MOST: Final = 86_400.0


def seconds(value: bytes, now: float) -> float:
    """Parse a number of seconds or a date; `now` is in unix seconds."""
    text = value.decode("latin-1").strip()
    if not text:
        return _UNSAID
    try:
        wanted = float(text) if text.replace(".", "", 1).isdigit() else _until(text) - now
    except ValueError:
        return _UNSAID
    return min(_MOST, max(1.0, wanted))


def _until(date: str) -> float:
    return parsedate_to_datetime(date).timestamp()
