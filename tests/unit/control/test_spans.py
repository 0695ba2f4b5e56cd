"""Spans from records: times, parents, and no content."""

import msgspec

from oxlo.control.spans import traces
from oxlo.testing import journal

AT = journal.AT
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def ns(seconds: float) -> int:
    return int(AT) * 1_000_000_000 + int(seconds * 1_000_000_000)


def test_answered_call() -> None:
    """The request's span contains those of the queue and the engine."""
    record = msgspec.structs.replace(
        journal.settled("req_1", at=AT + 2), queue_ms=500.0, first_ms=1500.0, trace=PARENT
    )
    (trace,) = traces([journal.admitted("req_1", at=AT + 0.75), record])
    root = trace.root
    queue, engine = root.children
    assert trace.parent == PARENT
    assert (root.start, root.end, root.kind, root.error) == (ns(0), ns(2), "server", "")
    assert (queue.start, queue.end) == (ns(0.25), ns(0.75))
    assert (engine.name, engine.start, engine.end) == ("chat m", ns(0.75), ns(2))
    assert engine.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "oxlo",
        "gen_ai.request.model": "m",
        "gen_ai.response.model": "m",
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 3,
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.time_to_first_chunk": 0.75,
        "oxlo.replica": "m-1",
    }
    assert root.attributes["oxlo.counted"] is True


def test_without_its_admission() -> None:
    """An outcome without its admission is sufficient."""
    (trace,) = traces([journal.settled("req_1", at=AT + 2)])
    queue, engine = trace.root.children
    assert (queue.start, queue.end - queue.start) == (ns(0), 1_500_000)
    assert engine.start == queue.end


def test_refused_call() -> None:
    """A refusal is a span without duration, with the error."""
    (trace,) = traces([journal.refused("req_1")])
    assert trace.root.error == "daily_limit_exceeded"
    assert (trace.root.start, trace.root.children) == (trace.root.end, ())
    assert trace.root.attributes["http.response.status_code"] == 429


def test_running_calls_are_none() -> None:
    """Running calls have no trace yet."""
    assert list(traces([journal.admitted("req_1")])) == []


def test_odd_clocks() -> None:
    """Child spans stay within their parent, also if clocks differ."""
    late = journal.admitted("req_1", at=AT + 99)
    (trace,) = traces([late, journal.settled("req_1", at=AT + 2)])
    for child in trace.root.children:
        assert trace.root.start <= child.start <= child.end <= trace.root.end
