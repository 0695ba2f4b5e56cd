"""Exponential backoff between restarts. Pure."""

from dataclasses import dataclass

_FIRST = 0.5
_LONGEST = 30.0
#: Seconds of health after which the backoff is reset.
_FORGIVEN = 60.0


@dataclass(slots=True)
class Backoff:
    """Delays that double with each failure."""

    failures: int = 0

    def failed(self, healthy_for: float) -> float:
        """Seconds to wait after a failure that followed `healthy_for` seconds of health."""
        self.failures = 0 if healthy_for >= _FORGIVEN else self.failures
        self.failures += 1
        return min(_LONGEST, _FIRST * 2.0 ** min(self.failures - 1, 10))
