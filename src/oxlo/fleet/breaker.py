"""A circuit breaker for each replica.

    CLOSED     three failures in a row open it
    OPEN       no requests until `open_until`
    HALF-OPEN  requests pass again: a success closes it, a failure opens it for twice as long

The owner decides what a failure is: a broken connection, a 5xx, a stall; never a client's 4xx.
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
    #: No requests until then, in seconds of a monotonic clock.
    open_until: float = 0.0
    #: No requests until then, as the server itself has asked.
    left_until: float = 0.0

    def failed(self, now: float) -> None:
        """Record a failure; while open, failures belong to earlier requests and change nothing."""
        if now < self.open_until:
            return
        self.failures += 1
        if self.failures >= THRESHOLD:
            doublings = min(self.failures - THRESHOLD, 10)
            self.open_until = now + min(_LONGEST, _FIRST * 2.0**doublings)

    def leave(self, until: float) -> None:
        """Send no requests until then: the server's quota is used up, which is not a failure."""
        self.left_until = max(self.left_until, until)

    def succeeded(self) -> None:
        """Record a success."""
        self.failures = 0
        self.open_until = 0.0
