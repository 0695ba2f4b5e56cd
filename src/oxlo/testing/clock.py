"""A clock that moves only when it is advanced."""


class FakeClock:
    """Call it for unix seconds.

    >>> clock = FakeClock(1_000.0)
    >>> clock.advance(2.5)
    >>> clock()
    1002.5
    """

    def __init__(self, now: float = 1_795_392_000.0) -> None:
        """Start at `now`; by default 2026-11-23 00:00:00 UTC."""
        self.now = now

    def __call__(self) -> float:
        """The current time, in unix seconds."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Advance the clock; negative seconds set it back."""
        self.now += seconds
