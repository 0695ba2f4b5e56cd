"""Receipts of calls: what happened, whether the call counted, and why."""

from typing import Literal

from oxlo.ledger.windows import DAY, MINUTE, iso
from oxlo.store.calls import RUNNING, Call
from oxlo.store.grants import Grant
from oxlo.wire.receipts import (
    DayLimit,
    Limits,
    MinuteLimit,
    Receipt,
    Refund,
    Timings,
    Tried,
    Usage,
)

#: The first half of a reason, by outcome; whether the call counted follows.
_SENTENCES = {
    "answered": "The call was answered",
    "failed": "The model's engine failed",
    "abandoned": "The client disconnected after the engine had started",
    "cancelled": "The client disconnected before the engine had started",
    "timed_out": "The model did not answer in time",
    "refused": "The call was refused",
    "replayed": "The call repeated an earlier one with its idempotency key, and got its answer",
    "lost": "The gateway stopped before the call had ended",
}


def receipt(call: Call, grant: Grant | None = None) -> Receipt:
    """The receipt of a call, and of its refund if any."""
    return Receipt(
        id=call.id,
        object="request.receipt",
        created=int(call.admitted_at),
        account=call.account_id,
        key=call.key_id,
        model=call.model,
        endpoint=call.endpoint,
        stream=call.stream,
        plan=call.plan,
        status=call.status,
        outcome=call.outcome,
        counted=call.counted,
        reason=reason(call),
        error=call.error or None,
        replica=call.replica or None,
        tried=tried(call.tried),
        usage=_usage(call),
        finish_reason=call.finish or None,
        timings=_timings(call),
        limits=_limits(call),
        refund=_refund(grant) if grant else None,
    )


def tried(text: str) -> tuple[Tried, ...]:
    """Parse a record's list of tried models: `big=queue_full, other=...`."""
    pairs = (each.rpartition("=") for each in text.split(", ") if each)
    return tuple(Tried(model=model, error=error) for model, _, error in pairs)


def reason(call: Call) -> str:
    """One sentence: what happened, and whether the call counts."""
    if call.outcome == RUNNING:
        return "The call is still running: one request is reserved for it until it ends."
    sentence = _SENTENCES.get(call.outcome, f"The call ended as {call.outcome}")
    return f"{sentence}{_detail(call)}: {_verdict(call)}."


def _detail(call: Call) -> str:
    return f" ({call.error})" if call.error else ""


def _verdict(call: Call) -> str:
    if call.outcome == "abandoned" and call.counted:
        return "it counts as one request, because today's refunds for that are used up"
    if call.counted:
        return "it counts as one request"
    if call.minute_counted:
        return "it does not count against the day, only against its minute"
    return "it does not count"


def _refund(grant: Grant) -> Refund:
    return Refund(
        id=grant.id, requests=grant.requests, reason=grant.reason, at=iso(grant.created_at)
    )


def _usage(call: Call) -> Usage:
    return Usage(
        prompt_tokens=call.tokens_in,
        completion_tokens=call.tokens_out,
        total_tokens=call.tokens_in + call.tokens_out,
        cached_tokens=call.tokens_cached,
        source=_source(call),
    )


def _source(call: Call) -> Literal["engine", "pieces"] | None:
    """Engines report usage at the end of a response; without it the gateway counted pieces."""
    if not call.tokens_in + call.tokens_out:
        return None
    return "engine" if call.outcome == "answered" else "pieces"


def _timings(call: Call) -> Timings:
    if call.outcome == RUNNING:
        return Timings(queue_ms=None, first_token_ms=None, total_ms=None)
    return Timings(
        queue_ms=call.queue_ms,
        first_token_ms=call.first_ms or None,
        total_ms=call.total_ms,
    )


def _limits(call: Call) -> Limits:
    day = DayLimit(remaining=call.day_left, resets_at=iso((call.day + 1) * DAY))
    minute = MinuteLimit(
        remaining=call.minute_left,
        resets_at=iso((call.minute + 1) * MINUTE),
        counted=call.minute_counted,
    )
    return Limits(day=day, minute=minute)
