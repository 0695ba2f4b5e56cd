"""A clock that stands still until it is told to move."""


class FakeClock:
    """Unix seconds; call it to read it.

    >>> clock = FakeClock(1_000.0)
    >>> clock.advance(2.5)
    >>> clock()
    1002.5
    """

    def __init__(self, now: float = 1_795_392_000.0) -> None:
        """Start at `now`; by default 2026-11-23 00:00:00 UTC."""
        self.now = now

    def __call__(self) -> float:
        """The time, in unix seconds."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass; a negative number sets the clock back, as an operator might."""
        self.now += seconds
