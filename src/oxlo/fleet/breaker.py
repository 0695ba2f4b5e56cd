"""When a replica is left alone for a while.

    CLOSED     three failures in a row open it
    OPEN       no calls until `open_until`
    HALF-OPEN  the back-off is over and calls are let through: a success closes it, a failure opens
               it again, for twice as long

Its owner knows what a failure is: a broken connection, a 5xx, a stall; never a user's 4xx.
"""

from dataclasses import dataclass

#: Failures in a row that open a breaker.
THRESHOLD = 3
_FIRST = 1.0
_LONGEST = 30.0


@dataclass(slots=True)
class Breaker:
    """The breaker of one replica."""

    failures: int = 0
    #: Until when calls keep away, in seconds of a clock that only grows.
    open_until: float = 0.0
    #: Until when it wants no calls at all.
    left_until: float = 0.0

    def failed(self, now: float) -> None:
        """A call failed. Those that fail while it is open were sent earlier: nothing is new."""
        if now < self.open_until:
            return
        self.failures += 1
        if self.failures >= THRESHOLD:
            doublings = min(self.failures - THRESHOLD, 10)
            self.open_until = now + min(_LONGEST, _FIRST * 2.0**doublings)

    def leave(self, until: float) -> None:
        """It asked to be left alone, its quota being used up: that is no failure."""
        self.left_until = max(self.left_until, until)

    def succeeded(self) -> None:
        """A call was answered."""
        self.failures = 0
        self.open_until = 0.0
