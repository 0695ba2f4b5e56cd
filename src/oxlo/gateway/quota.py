"""How long a server elsewhere wants to be left alone, as its Retry-After says."""

from email.utils import parsedate_to_datetime
from typing import Final

#: Seconds, where it does not say; and at most: it is asked again once a day.
_UNSAID: Final = 2.0
_MOST: Final = 86_400.0


def seconds(said: bytes, now: float) -> float:
    """From a number of seconds or a date; `now` is in unix seconds."""
    text = said.decode("latin-1").strip()
    if not text:
        return _UNSAID
    try:
        wanted = float(text) if text.replace(".", "", 1).isdigit() else _until(text) - now
    except ValueError:
        return _UNSAID
    return min(_MOST, max(1.0, wanted))


def _until(date: str) -> float:
    return parsedate_to_datetime(date).timestamp()
