"""Counters and histograms of one gateway; control renders them for Prometheus."""

from bisect import bisect_right
from typing import Any, Final

from oxlo.engines.dialect import Usage
from oxlo.errors import ApiError
from oxlo.gateway.receipts import Outcome, Spans

#: Upper bounds in seconds, for both waits and durations.
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
#: Maximum number of buffered observations.
_MOST_NEW: Final = 1024

Labels = tuple[tuple[str, str], ...]


class Histogram:
    """Observations in cumulative buckets.

    Observations are buffered and sorted into buckets in batches, which is several times cheaper.
    """

    __slots__ = ("_below", "_count", "_new", "_total")

    def __init__(self) -> None:
        self._below = [0] * len(SECONDS)
        self._count = 0
        self._total = 0.0
        self._new: list[float] = []

    def observe(self, seconds: float) -> None:
        """Add one observation."""
        self._new.append(seconds)
        if len(self._new) >= _MOST_NEW:
            self._sort()

    def _sort(self) -> None:
        new, self._new = sorted(self._new), []
        self._count += len(new)
        self._total += sum(new)
        for index, bound in enumerate(SECONDS):
            self._below[index] += bisect_right(new, bound)

    def as_dict(self) -> dict[str, Any]:
        """The buckets in Prometheus format: cumulative, the last one infinite."""
        self._sort()
        buckets = [[str(bound), below] for bound, below in zip(SECONDS, self._below, strict=True)]
        buckets.append(["+Inf", self._count])
        return {"buckets": buckets, "sum": self._total, "count": self._count}


class Counter:
    """A monotonic counter."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0


class Metrics:
    """All metrics of a gateway, by name and labels."""

    def __init__(self) -> None:
        self._counters: dict[tuple[str, Labels], Counter] = {}
        self._histograms: dict[tuple[str, Labels], Histogram] = {}

    def count(self, name: str, labels: Labels = (), amount: float = 1) -> None:
        """Increment a counter."""
        self.counter(name, labels).value += amount

    def counter(self, name: str, labels: Labels) -> Counter:
        """The counter with this name and labels, created at its first use."""
        key = (name, labels)
        found = self._counters.get(key)
        if found is None:
            found = self._counters[key] = Counter()
        return found

    def histogram(self, name: str, labels: Labels) -> Histogram:
        """The histogram with this name and labels, created at its first use."""
        key = (name, labels)
        found = self._histograms.get(key)
        if found is None:
            found = self._histograms[key] = Histogram()
        return found

    def counters(self) -> list[list[Any]]:
        """All counters as `[name, labels, value]`."""
        return [[name, dict(labels), c.value] for (name, labels), c in self._counters.items()]

    def histograms(self) -> list[list[Any]]:
        """All histograms as `[name, labels, {buckets, sum, count}]`."""
        return [[n, dict(labels), h.as_dict()] for (n, labels), h in self._histograms.items()]


class CallMetrics:
    """The metrics of calls that share model, plan and endpoint, looked up once."""

    __slots__ = (
        "_cached", "_completion", "_first", "_labels", "_metrics", "_outcomes", "_plan", "_prompt",
        "_queue", "_streamed", "_streaming", "_total",
    )  # fmt: skip

    def __init__(self, metrics: Metrics, model: str, plan: str, endpoint: str) -> None:
        by_model = (("model", model),)
        self._metrics = metrics
        self._plan = plan
        self._labels = (*by_model, ("plan", plan), ("endpoint", endpoint))
        self._outcomes: dict[tuple[str, int], Counter] = {}
        self._queue = metrics.histogram("oxlo_queue_seconds", by_model)
        self._first = metrics.histogram("oxlo_first_token_seconds", by_model)
        self._total = metrics.histogram("oxlo_call_seconds", by_model)
        self._prompt, self._completion, self._cached = (
            metrics.counter("oxlo_tokens_total", (*by_model, ("kind", kind)))
            for kind in ("prompt", "completion", "cached")
        )
        self._streamed = metrics.counter("oxlo_streamed_tokens_total", by_model)
        self._streaming = metrics.counter("oxlo_streaming_seconds_total", by_model)

    def settled(self, outcome: Outcome, usage: Usage, spans: Spans, *, stream: bool) -> None:
        """Count an admitted call that has ended."""
        self.outcome(outcome.name, outcome.status)
        if outcome.error:
            self._error(outcome.error)
        queue, first, total = spans
        self._queue.observe(queue)
        self._total.observe(total)
        if first:
            self._first.observe(first)
            if stream:  # the speed of its output
                self._streamed.value += usage.completion_tokens
                self._streaming.value += total - first
        self._prompt.value += usage.prompt_tokens
        self._completion.value += usage.completion_tokens
        self._cached.value += usage.cached_tokens

    def refused(self, error: ApiError) -> None:
        """Count a call that was refused before the reservation."""
        self.outcome("refused", error.status)
        self._error(error.error_code)

    def _error(self, code: str) -> None:
        self._metrics.count("oxlo_errors_total", (("plan", self._plan), ("code", code)))

    def outcome(self, outcome: str, status: int) -> None:
        """Count a finished call."""
        counter = self._outcomes.get((outcome, status))
        if counter is None:
            labels = (*self._labels, ("outcome", outcome), ("status", str(status)))
            counter = self._metrics.counter("oxlo_requests_total", labels)
            self._outcomes[outcome, status] = counter
        counter.value += 1
