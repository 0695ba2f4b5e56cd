"""GET /v1/requests and /v1/requests/{id}: the shape of receipts."""

from typing import Literal

import msgspec


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Token counts, for information only: they cost nothing."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_tokens: int
    #: `engine`; or `gateway`, for the pieces of an incomplete stream (about a token each) and a
    #: prompt counted in advance; None if nothing was counted.
    source: Literal["engine", "pieces"] | None


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds from admission; None for stages that were not reached."""

    queue_ms: float | None
    first_token_ms: float | None
    total_ms: float | None


class DayLimit(msgspec.Struct, frozen=True, kw_only=True):
    """The UTC day of the call; `remaining` is None without a limit."""

    remaining: int | None
    #: ISO 8601, as `2026-11-24T00:00:00Z`.
    resets_at: str


class MinuteLimit(msgspec.Struct, frozen=True, kw_only=True):
    """The UTC minute of the call, in which it may count without counting in the day."""

    remaining: int | None
    resets_at: str
    counted: bool


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What was left after the call."""

    day: DayLimit
    minute: MinuteLimit


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """A counted call that an operator refunded later."""

    id: str
    requests: int
    reason: str
    at: str


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """A model of the client's list that did not answer."""

    model: str
    #: The code of its error.
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
    #: HTTP status; 499 if the client had disconnected; None while it runs.
    status: int | None
    outcome: str
    counted: bool
    reason: str
    error: str | None
    replica: str | None
    #: Models that were tried before `model`, in order.
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
