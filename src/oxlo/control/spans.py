"""Converting journal records to spans, by OpenTelemetry's conventions for generative AI. No I/O.

call chat      the request, from its arrival to its end
├── queue      from entering the queue to getting a slot
└── chat MODEL the request to the engine
"""

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from oxlo.control.segments import CallRecord
from oxlo.ledger.records import Admitted, Refused, Settled

Value = str | bool | int | float | tuple[str, ...]
Kind = Literal["server", "internal", "client"]

#: OpenTelemetry's operation names, by endpoint; the default is the endpoint's own name.
_OPERATIONS = {"completions": "text_completion", "image_edits": "images"}
_SECOND = 1_000_000_000


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A span; `start` and `end` are unix nanoseconds."""

    name: str
    kind: Kind
    start: int
    end: int
    attributes: dict[str, Value]
    #: The error code, or "".
    error: str = ""
    children: tuple["Span", ...] = ()


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """The trace of one call."""

    #: The client's W3C `traceparent`, or "".
    parent: str
    root: Span


def traces(records: Iterable[CallRecord]) -> Iterator[Trace]:
    """A trace for each call whose end is among the records."""
    admitted: dict[str, Admitted] = {}
    for record in records:
        if isinstance(record, Admitted):
            admitted[record.id] = record
        elif isinstance(record, Refused):
            yield Trace(parent=record.trace, root=_refused(record))
        else:
            yield Trace(parent=record.trace, root=_settled(record, admitted.pop(record.id, None)))


def _refused(record: Refused) -> Span:
    at = _ns(record.at)
    attributes = _call(record) | {"oxlo.outcome": "refused", "oxlo.counted": False}
    return Span(
        name=f"call {record.endpoint}",
        kind="server",
        start=at,
        end=at,
        attributes=attributes | {"http.response.status_code": record.status},
        error=record.error,
    )


def _settled(record: Settled, admitted: Admitted | None) -> Span:
    end = _ns(record.at)
    start = end - _ms(record.total_ms)
    started = _clamp(_ns(admitted.at) if admitted else start + _ms(record.queue_ms), start, end)
    queued = max(start, started - _ms(record.queue_ms))
    children = [Span(name="queue", kind="internal", start=queued, end=started, attributes={})]
    if record.replica:
        children.append(_engine(record, started, end))
    attributes = _call(record) | {
        "oxlo.outcome": record.outcome,
        "oxlo.counted": record.counted,
    }
    if record.status:
        attributes["http.response.status_code"] = record.status
    return Span(
        name=f"call {record.endpoint}",
        kind="server",
        start=start,
        end=end,
        attributes=attributes,
        error=record.error,
        children=() if record.outcome == "replayed" else tuple(children),
    )


def _call(record: Settled | Refused) -> dict[str, Value]:
    """Attributes of every call."""
    return {
        "oxlo.request_id": record.id,
        "oxlo.account": record.account,
        "oxlo.plan": record.plan,
        "oxlo.stream": record.stream,
        "gen_ai.operation.name": _operation(record),
        "gen_ai.request.model": record.model,
    }


def _engine(record: Settled, start: int, end: int) -> Span:
    attributes: dict[str, Value] = {
        "gen_ai.operation.name": _operation(record),
        "gen_ai.provider.name": "oxlo",
        "gen_ai.request.model": record.model,
        "gen_ai.response.model": record.model,
        "gen_ai.usage.input_tokens": record.tokens_in,
        "gen_ai.usage.output_tokens": record.tokens_out,
        "gen_ai.usage.cache_read.input_tokens": record.tokens_cached,
        "oxlo.replica": record.replica,
    }
    if record.finish:
        attributes["gen_ai.response.finish_reasons"] = (record.finish,)
    if record.first_ms:
        first = end - _ms(record.total_ms) + _ms(record.first_ms)
        attributes["gen_ai.response.time_to_first_chunk"] = max(0, first - start) / _SECOND
    return Span(
        name=f"{_operation(record)} {record.model}",
        kind="client",
        start=start,
        end=end,
        attributes=attributes,
        error=record.error,
    )


def _operation(record: Settled | Refused) -> str:
    return _OPERATIONS.get(record.endpoint, record.endpoint)


def _ns(seconds: float) -> int:
    """Unix seconds to nanoseconds, rounded to microseconds, the precision of the float."""
    return round(seconds * 1_000_000) * 1_000


def _ms(milliseconds: float) -> int:
    return int(milliseconds * 1_000_000)


def _clamp(time: int, start: int, end: int) -> int:
    return min(max(time, start), end)
