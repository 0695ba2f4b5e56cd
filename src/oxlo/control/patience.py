"""A clock that is not believed at once: what is deleted by the date does not come back with it."""

from collections.abc import Callable
from typing import Final

#: Seconds that a clock may gain on the time that passes, between two looks, and be believed.
SLACK: Final = 60.0
#: Seconds for which a clock that has jumped ahead must stay there to be believed.
PATIENCE: Final = 3600.0


class Patient:
    """Unix seconds; call it to read it. It follows a clock back at once, ahead after an hour."""

    def __init__(self, clock: Callable[[], float], steady: Callable[[], float]) -> None:
        """`clock` can be set; `steady`, in seconds too, only ever grows."""
        self._clock = clock
        self._steady = steady
        self._offset = clock() - steady()
        self._jumped_at: float | None = None

    def __call__(self) -> float:
        """The time, as far as it is believed."""
        steady = self._steady()
        offset = self._clock() - steady
        if offset <= self._offset + SLACK:
            self._believe(offset)
        elif self._jumped_at is None:
            self._jumped_at = steady
        elif steady - self._jumped_at >= PATIENCE:
            self._believe(offset)
        return steady + self._offset

    def _believe(self, offset: float) -> None:
        self._offset = offset
        self._jumped_at = None
