"""Counters and histograms of one gateway; control renders them for Prometheus."""

from bisect import bisect_left
from typing import Any

#: Upper bounds in seconds, for waits and durations alike.
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)

Labels = tuple[tuple[str, str], ...]


class Histogram:
    """Observations in cumulative buckets."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Add one observation."""
        self.counts[bisect_left(SECONDS, seconds)] += 1
        self.total += seconds

    def as_dict(self) -> dict[str, Any]:
        """Buckets as Prometheus wants them: cumulative, the last one infinite."""
        buckets, seen = [], 0
        for bound, count in zip((*map(str, SECONDS), "+Inf"), self.counts, strict=True):
            seen += count
            buckets.append([bound, seen])
        return {"buckets": buckets, "sum": self.total, "count": seen}


class Metrics:
    """All figures of a gateway, by name and labels."""

    def __init__(self) -> None:
        self._counters: dict[tuple[str, Labels], float] = {}
        self._histograms: dict[tuple[str, Labels], Histogram] = {}

    def count(self, name: str, labels: Labels = (), amount: float = 1) -> None:
        """Raise a counter."""
        key = (name, labels)
        self._counters[key] = self._counters.get(key, 0) + amount

    def histogram(self, name: str, labels: Labels) -> Histogram:
        """The histogram of this name and labels, made at its first use."""
        key = (name, labels)
        found = self._histograms.get(key)
        if found is None:
            found = self._histograms[key] = Histogram()
        return found

    def counters(self) -> list[list[Any]]:
        """Every counter as `[name, labels, value]`."""
        return [[name, dict(labels), value] for (name, labels), value in self._counters.items()]

    def histograms(self) -> list[list[Any]]:
        """Every histogram as `[name, labels, {buckets, sum, count}]`."""
        return [[n, dict(labels), h.as_dict()] for (n, labels), h in self._histograms.items()]


class CallMetrics:
    """The figures of calls that share model, plan and endpoint: looked up once, then cheap."""

    __slots__ = ("_labels", "_metrics", "_outcomes", "first", "queue", "total")

    def __init__(self, metrics: Metrics, model: str, plan: str, endpoint: str) -> None:
        self._metrics = metrics
        self._labels = (("model", model), ("plan", plan), ("endpoint", endpoint))
        self._outcomes: dict[tuple[str, int], tuple[str, Labels]] = {}
        by_model = (("model", model),)
        self.queue = metrics.histogram("oxlo_queue_seconds", by_model)
        self.first = metrics.histogram("oxlo_first_token_seconds", by_model)
        self.total = metrics.histogram("oxlo_call_seconds", by_model)

    def outcome(self, outcome: str, status: int) -> None:
        """Count one finished call."""
        key = self._outcomes.get((outcome, status))
        if key is None:
            labels = (*self._labels, ("outcome", outcome), ("status", str(status)))
            key = self._outcomes[outcome, status] = ("oxlo_requests_total", labels)
        self._metrics.count(*key)

    def tokens(self, prompt: int, completion: int, cached: int) -> None:
        """Count the tokens of one finished call."""
        for kind, amount in (("prompt", prompt), ("completion", completion), ("cached", cached)):
            if amount:
                labels = (*self._labels[:1], ("kind", kind))
                self._metrics.count("oxlo_tokens_total", labels, amount)
