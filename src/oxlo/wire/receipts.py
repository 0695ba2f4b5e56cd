"""GET /v1/requests and /v1/requests/{id}: receipts, as they are answered and described."""

from typing import Literal

import msgspec


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens, for information: they cost nothing."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_tokens: int
    #: Who counted: the engine, or the gateway the pieces of an answer that did not end (about a
    #: token each), with the prompt where it had been counted before. None: nobody, nothing.
    source: Literal["engine", "pieces"] | None


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
    """What happened to one call, whether it counted, and why."""

    id: str
    object: Literal["request.receipt"]
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


class ReceiptList(msgspec.Struct, frozen=True, kw_only=True):
    """Receipts, newest first."""

    object: Literal["list"]
    data: list[Receipt]
    first_id: str | None
    last_id: str | None
    has_more: bool
