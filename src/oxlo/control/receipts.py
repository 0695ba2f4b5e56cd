"""Receipts: what a call was, whether it counted, and why."""

import msgspec

from oxlo.ledger.windows import DAY, MINUTE, iso
from oxlo.store.calls import RUNNING, Call
from oxlo.store.grants import Grant

#: What happened, by outcome; whether it counted is said after it.
_STORIES = {
    "answered": "The call was answered",
    "failed": "The model's engine failed",
    "abandoned": "You disconnected after the engine had started",
    "cancelled": "You disconnected before the engine had started",
    "timed_out": "The model did not answer in time",
    "refused": "The call was refused",
    "replayed": "The call repeated an earlier one with its idempotency key, and got its answer",
    "lost": "The gateway stopped before the call had ended",
}


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens, for information: they cost nothing."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_tokens: int


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds from admission; None for what was not reached."""

    queue_ms: float | None
    first_token_ms: float | None
    total_ms: float | None


class DayLimit(msgspec.Struct, frozen=True, kw_only=True):
    """The UTC day the call belongs to; `remaining` is None without a limit."""

    remaining: int | None
    #: As `2026-11-24T00:00:00Z`.
    resets_at: str


class MinuteLimit(msgspec.Struct, frozen=True, kw_only=True):
    """The UTC minute the call belongs to; it may count here and not in the day."""

    remaining: int | None
    resets_at: str
    counted: bool


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What was left after the call."""

    day: DayLimit
    minute: MinuteLimit


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """A counted call that an operator gave back, as requests of a later moment."""

    id: str
    requests: int
    reason: str
    at: str


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """A model that the caller named and that did not answer."""

    model: str
    #: The code of the error that it would have ended with.
    error: str


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What `GET /v1/requests/{id}` answers."""

    id: str
    object: str = "request.receipt"
    created: int
    account: str
    key: str
    model: str
    endpoint: str
    stream: bool
    plan: str
    #: HTTP status that was sent, 499 when nobody was there to read it; None while it runs.
    status: int | None
    outcome: str
    counted: bool
    reason: str
    error: str | None
    replica: str | None
    #: Models that came before `model` in the caller's chain, in the order of its tries.
    tried: tuple[Tried, ...]
    usage: Usage
    finish_reason: str | None
    timings: Timings
    limits: Limits
    refund: Refund | None


def receipt(call: Call, grant: Grant | None = None) -> Receipt:
    """The receipt of a call, and of its refund where there was one."""
    return Receipt(
        id=call.id,
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


def tried(told: str) -> tuple[Tried, ...]:
    """The models that a record says were tried: `big=queue_full, other=...`."""
    pairs = (each.rpartition("=") for each in told.split(", ") if each)
    return tuple(Tried(model=model, error=error) for model, _, error in pairs)


def reason(call: Call) -> str:
    """One sentence: what happened, and whether it counts."""
    if call.outcome == RUNNING:
        return "The call is still running: one request is reserved for it until it ends."
    story = _STORIES.get(call.outcome, f"The call ended as {call.outcome}")
    return f"{story}{_detail(call)}: {_verdict(call)}."


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
    )


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
