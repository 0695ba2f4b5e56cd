"""Fixed UTC windows: which one a moment is in, when it ends, and what an account used of it."""

import math
from datetime import UTC, datetime
from typing import Final

DAY: Final = 86_400
MINUTE: Final = 60
#: The name of a window that has passed and whose own name may come again.
PASSED: Final = 0


def day_of(now: float) -> int:
    """The UTC day of a moment: days since 1970."""
    return int(now // DAY)


def minute_of(now: float) -> int:
    """The UTC minute of a moment: minutes since 1970."""
    return int(now // MINUTE)


def day_resets_in(now: float) -> int:
    """Whole seconds until 00:00 UTC, rounded up, at least 1."""
    return _until((day_of(now) + 1) * DAY, now)


def minute_resets_in(now: float) -> int:
    """Whole seconds until the next minute, rounded up, at least 1."""
    return _until((minute_of(now) + 1) * MINUTE, now)


def iso(at: float) -> str:
    """A moment as clients read it: `2026-11-24T00:00:00Z`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Window:
    """One limit as an account stands to it; a `limit` of None is no limit."""

    __slots__ = ("limit", "resets_in", "used")

    def __init__(self, limit: int | None, used: int, resets_in: int) -> None:
        self.limit = limit
        self.used = used
        #: Whole seconds until the window ends.
        self.resets_in = resets_in

    @property
    def remaining(self) -> int | None:
        """Requests left, never negative (a plan may shrink); None: no limit."""
        return None if self.limit is None else max(0, self.limit - self.used)

    @property
    def left(self) -> int:
        """As `remaining`, in the journal's spelling: -1 is no limit."""
        return -1 if self.limit is None else max(0, self.limit - self.used)


def tightest(day: Window, minute: Window) -> Window:
    """The window with least left; of two alike the day, which lasts longer."""
    if minute.limit is None:
        return day
    if day.limit is None or minute.left < day.left:
        return minute
    return day


def renamed(charged: int, reached: int, now: int) -> int:
    """The name of a window that was charged, after the one that was reached got another one."""
    if charged == reached:
        return now
    return charged if charged < now else PASSED


class Counts:
    """Requests that an account used of its current day and minute.

    Windows only move forward: a clock that is set back charges the window that was reached, so a
    used window never opens again. Where that one lies further ahead than the next, it is the next
    from then on: nobody is held in a window for longer because a clock was wrong.
    """

    __slots__ = ("day", "day_used", "minute", "minute_used", "refunds")

    def __init__(
        self, day: int, minute: int, day_used: int = 0, minute_used: int = 0, refunds: int = 0
    ) -> None:
        self.day = day
        self.minute = minute
        self.day_used = day_used
        self.minute_used = minute_used
        #: Abandoned calls that were refunded on this day.
        self.refunds = refunds

    def advance(self, day: int, minute: int) -> None:
        """Open the windows of a moment, if they are later than those that are open."""
        if day > self.day:
            self.day = day
            self.day_used = self.refunds = 0
        if minute > self.minute:
            self.minute = minute
            self.minute_used = 0

    def follow(self, day: int, minute: int) -> bool:
        """Open the windows of the present moment; whether one got another name: see above."""
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
        """Take back, of a charge of these windows, what does not count after all."""
        if not counted and day == self.day:
            self.day_used -= 1
        if not minute_counted and minute == self.minute:
            self.minute_used -= 1

    def windows(
        self, day_limit: int | None, minute_limit: int | None, now: float
    ) -> tuple[Window, Window]:
        """The day and the minute as they stand, against these limits, once advanced to `now`."""
        return (
            Window(day_limit, self.day_used, _until((self.day + 1) * DAY, now)),
            Window(minute_limit, self.minute_used, _until((self.minute + 1) * MINUTE, now)),
        )


def _until(end: float, now: float) -> int:
    """Never 0: a window that is open ends later than now."""
    return math.ceil(end - now)
