"""Fixed UTC windows: the current one, when it ends, and an account's usage of it."""

import math
from datetime import UTC, datetime
from typing import Final

DAY: Final = 86_400
MINUTE: Final = 60
#: The name of a window that has passed but whose own name may recur.
PASSED: Final = 0


def day_of(now: float) -> int:
    """The UTC day of a timestamp, in days since 1970."""
    return int(now // DAY)


def minute_of(now: float) -> int:
    """The UTC minute of a timestamp, in minutes since 1970."""
    return int(now // MINUTE)


def day_resets_in(now: float) -> int:
    """Whole seconds until 00:00 UTC, rounded up, at least 1."""
    return _until((day_of(now) + 1) * DAY, now)


def minute_resets_in(now: float) -> int:
    """Whole seconds until the next minute, rounded up, at least 1."""
    return _until((minute_of(now) + 1) * MINUTE, now)


def iso(at: float) -> str:
    """Format a timestamp for clients: `2026-11-24T00:00:00Z`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Window:
    """An account's usage of one limit; a `limit` of None means unlimited."""

    __slots__ = ("limit", "resets_in", "used")

    def __init__(self, limit: int | None, used: int, resets_in: int) -> None:
        self.limit = limit
        self.used = used
        #: Whole seconds until the window ends.
        self.resets_in = resets_in

    @property
    def remaining(self) -> int | None:
        """Requests left, never negative (a plan may be reduced); None: no limit."""
        return None if self.limit is None else max(0, self.limit - self.used)

    @property
    def left(self) -> int:
        """As `remaining`, in the journal's encoding: -1 means no limit."""
        return -1 if self.limit is None else max(0, self.limit - self.used)


def tightest(day: Window, minute: Window) -> Window:
    """The window with the fewest requests left; on a tie the day, which lasts longer."""
    if minute.limit is None:
        return day
    if day.limit is None or minute.left < day.left:
        return minute
    return day


def renamed(charged: int, reached: int, now: int) -> int:
    """The name of a charged window, after the current window was renamed."""
    if charged == reached:
        return now
    return charged if charged < now else PASSED


class Counts:
    """An account's requests in its current day and minute.

    Windows only move forward: after the clock was set back, the latest window reached is still
    charged, so that a used window never reopens. If that window is further ahead than the next one,
    it is renamed to the next one: a wrong clock must not prolong a window for anyone.
    """

    __slots__ = ("day", "day_used", "minute", "minute_used", "refunds")

    def __init__(
        self, day: int, minute: int, day_used: int = 0, minute_used: int = 0, refunds: int = 0
    ) -> None:
        self.day = day
        self.minute = minute
        self.day_used = day_used
        self.minute_used = minute_used
        #: Abandoned calls refunded on this day.
        self.refunds = refunds

    def advance(self, day: int, minute: int) -> None:
        """Open the windows at a timestamp, if they are later than the current ones."""
        if day > self.day:
            self.day = day
            self.day_used = self.refunds = 0
        if minute > self.minute:
            self.minute = minute
            self.minute_used = 0

    def follow(self, day: int, minute: int) -> bool:
        """Open the windows of the present; returns whether a window was renamed (see the class)."""
        self.advance(day, minute)
        if self.day <= day + 1 and self.minute <= minute + 1:
            return False
        self.day = min(self.day, day + 1)
        self.minute = min(self.minute, minute + 1)
        return True

    def charge(self, day: int, minute: int) -> None:
        """Count one request; a window that has passed holds no counts."""
        self.advance(day, minute)
        self.day_used += day == self.day
        self.minute_used += minute == self.minute

    def give_back(self, day: int, minute: int, *, counted: bool, minute_counted: bool) -> None:
        """Refund the part of a charge to these windows that does not count."""
        if not counted and day == self.day:
            self.day_used -= 1
        if not minute_counted and minute == self.minute:
            self.minute_used -= 1

    def windows(
        self, day_limit: int | None, minute_limit: int | None, now: float
    ) -> tuple[Window, Window]:
        """The day and minute windows under these limits; call `advance` first."""
        return (
            Window(day_limit, self.day_used, _until((self.day + 1) * DAY, now)),
            Window(minute_limit, self.minute_used, _until((self.minute + 1) * MINUTE, now)),
        )


def _until(end: float, now: float) -> int:
    """Seconds until the window ends, never 0: an open window ends later than now."""
    return math.ceil(end - now)
