"""How long to wait before the next start; pure."""

from dataclasses import dataclass

_FIRST = 0.5
_LONGEST = 30.0
#: Seconds of health after which earlier failures are forgotten.
_FORGIVEN = 60.0


@dataclass(slots=True)
class Backoff:
    """Doubling waits between failures."""

    failures: int = 0

    def failed(self, healthy_for: float) -> float:
        """Seconds to wait now, after a life that was healthy for `healthy_for` seconds."""
        self.failures = 0 if healthy_for >= _FORGIVEN else self.failures
        self.failures += 1
        return min(_LONGEST, _FIRST * 2.0 ** min(self.failures - 1, 10))
