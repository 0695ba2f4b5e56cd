"""A clock that distrusts jumps ahead, because deleting by a wrong date cannot be undone."""

from collections.abc import Callable
from typing import Final

#: Seconds that the clock may gain on the monotonic clock between two readings.
SLACK: Final = 60.0
#: Seconds for which a clock that jumped ahead has to stay ahead before it is trusted.
CONFIRM_AFTER: Final = 3600.0


class TrustedClock:
    """Call it for unix seconds. Follows the clock back at once, and ahead after an hour."""

    def __init__(self, clock: Callable[[], float], steady: Callable[[], float]) -> None:
        """`clock` is the system clock, `steady` a monotonic one; both in seconds."""
        self._clock = clock
        self._steady = steady
        self._offset = clock() - steady()
        self._jumped_at: float | None = None

    def __call__(self) -> float:
        """The trusted time, in unix seconds."""
        steady = self._steady()
        offset = self._clock() - steady
        if offset <= self._offset + SLACK:
            self._trust(offset)
        elif self._jumped_at is None:
            self._jumped_at = steady
        elif steady - self._jumped_at >= CONFIRM_AFTER:
            self._trust(offset)
        return steady + self._offset

    def _trust(self, offset: float) -> None:
        self._offset = offset
        self._jumped_at = None
