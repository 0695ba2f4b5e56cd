"""The journal records of a call: admission, refusal and outcome."""

import re
from typing import Final

from oxlo.errors import ApiError, EngineTimedOut, QueueTimedOut
from oxlo.gateway.active import ActiveCall
from oxlo.gateway.exchange import Exchange
from oxlo.gateway.idempotency.answers import Kept
from oxlo.ledger.base import Reservation
from oxlo.ledger.records import Admitted, Refused, Settled
from oxlo.ledger.windows import Window, day_of, minute_of
from oxlo.plans.caller import Caller


class Outcome:
    """How an admitted call ended, and what of it counts."""

    __slots__ = ("counted", "error", "finish", "minute_counted", "name", "status")

    def __init__(
        self,
        status: int,
        name: str,
        error: str = "",
        *,
        finish: str = "",
        counted: bool = False,
        minute_counted: bool = False,
    ) -> None:
        self.status = status
        self.name = name
        self.error = error
        self.finish = finish
        self.counted = counted
        self.minute_counted = minute_counted


ANSWERED: Final = "answered"
#: The client disconnected before the engine started; and after: then the minute counts, and
#: possibly the day.
CANCELLED: Final = Outcome(499, "cancelled", "client_closed")
ABANDONED: Final = Outcome(499, "abandoned", "client_closed", counted=True, minute_counted=True)
ABANDONED_REFUNDED: Final = Outcome(499, "abandoned", "client_closed", minute_counted=True)
#: Served from the response stored under its idempotency key.
REPEATED: Final = Outcome(200, "replayed")


def answer(finish: str) -> Outcome:
    """The outcome of a successful call; `finish` is its finish reason."""
    return Outcome(200, ANSWERED, finish=finish, counted=True, minute_counted=True)


def failure(error: ApiError) -> Outcome:
    """The outcome of an admitted call that failed, which does not count."""
    if isinstance(error, QueueTimedOut | EngineTimedOut):
        name = "timed_out"
    else:
        name = "failed" if error.status >= 500 else "refused"
    return Outcome(error.status, name, error.error_code)


def admission(call: ActiveCall, reservation: Reservation, wall: float) -> Admitted:
    """The record of an admitted call, written before it is sent to an engine."""
    caller = call.caller
    return Admitted(
        call.id, wall, caller.account, caller.key, caller.plan, call.model_id,
        call.endpoint.name, call.stream, reservation.day, reservation.minute,
    )  # fmt: skip


def refusal(call: ActiveCall, status: int, code: str, wall: float) -> Refused:
    """The record of a known account's call that was not admitted."""
    caller = call.caller
    day, minute = call.windows()
    return Refused(
        call.id, wall, caller.account, caller.key, caller.plan, call.model_id,
        call.endpoint.name, call.stream, status, code, day.left, minute.left,
        trace(call.exchange), call.tried,
    )  # fmt: skip


#: Seconds in the queue, to the first content (0: none), and in total.
Spans = tuple[float, float, float]


def spans(call: ActiveCall, ended: float) -> Spans:
    """The durations of a call that ended at `ended`, in monotonic seconds."""
    arrived, attempt = call.exchange.arrived, call.attempt
    first_at = attempt.first_at if attempt is not None else 0.0
    return (
        (call.sent_at or ended) - call.queued_at if call.queued_at else 0.0,
        first_at - arrived if first_at else 0.0,
        ended - arrived,
    )


def settlement(
    call: ActiveCall, reservation: Reservation, outcome: Outcome, wall: float, spans: Spans
) -> Settled:
    """The record of an admitted call's outcome."""
    caller, usage, attempt = call.caller, call.usage, call.attempt
    day, minute = call.windows()
    queue, first, total = spans
    backend = call.avoid if attempt is None else attempt.backend
    charged = call.admitted or reservation  # a clock set back renames its windows
    return Settled(
        call.id, wall, caller.account, caller.key, caller.plan, call.model_id,
        call.endpoint.name, call.stream, charged.day, charged.minute,
        outcome.status, outcome.name, outcome.counted, outcome.minute_counted, outcome.error,
        backend.id if backend is not None else "",
        usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, outcome.finish,
        _ms(queue), _ms(first), _ms(total), day.left, minute.left,
        trace(call.exchange), call.tried,
    )  # fmt: skip


def repeat(
    exchange: Exchange,
    endpoint: str,
    caller: Caller,
    kept: Kept,
    windows: tuple[Window, Window],
    wall: float,
    seconds: float,
) -> Settled:
    """The record of a replayed response, which costs nothing."""
    day, minute = windows
    return Settled(
        exchange.id.decode(), wall, caller.account, caller.key, caller.plan, kept.model,
        endpoint, kept.stream, day_of(wall), minute_of(wall), REPEATED.status, REPEATED.name,
        REPEATED.counted, REPEATED.minute_counted, "", "", 0, 0, 0, "", 0.0, 0.0, _ms(seconds),
        day.left, minute.left, trace(exchange),
    )  # fmt: skip


#: W3C trace context, version 0; all-zero ids are invalid.
_TRACEPARENT: Final = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def trace(exchange: Exchange) -> str:
    """The client's `traceparent` if valid, so that control can continue the trace; else ""."""
    given = exchange.headers.get(b"traceparent")
    if given is None or _TRACEPARENT.fullmatch(given) is None:
        return ""
    return given.decode()


def _ms(seconds: float) -> float:
    """Seconds as milliseconds, to three decimal places."""
    return int(seconds * 1e6) / 1000
