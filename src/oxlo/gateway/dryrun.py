"""`X-Oxlo-Dry-Run: 1`: whether a call would be accepted now, without making it.

A dry run is processed like a call up to the queue and answered there. Whatever would cause the call
to be refused is reported with the same error. It reserves nothing and leaves no record.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from oxlo.errors import (
    ApiError,
    BadRequest,
    MinuteLimitExceeded,
    Overloaded,
    QueueFull,
)
from oxlo.gateway import headers
from oxlo.gateway.active import Stage
from oxlo.gateway.body import Body
from oxlo.gateway.call import Call
from oxlo.gateway.core import Core
from oxlo.gateway.endpoints import Endpoint
from oxlo.gateway.exchange import Exchange
from oxlo.gateway.exchange import State as ExchangeState
from oxlo.gateway.limits import window
from oxlo.ledger import refusals
from oxlo.ledger.base import Standing
from oxlo.ledger.windows import day_of, minute_of, minute_resets_in
from oxlo.plans import Plan

HEADER = b"x-oxlo-dry-run"
_YES_NO = {b"1": True, b"true": True, b"0": False, b"false": False}


def wanted(given: Mapping[bytes, bytes]) -> bool:
    """Whether a dry run is requested; an invalid value counts as one, so that it never calls."""
    value = given.get(HEADER)
    return value is not None and _YES_NO.get(value.lower(), True)


def check(given: Mapping[bytes, bytes]) -> None:
    """Validate the header. Raises BadRequest."""
    value = given.get(HEADER)
    if value is not None and value.lower() not in _YES_NO:
        raise BadRequest("X-Oxlo-Dry-Run takes 1 or 0.", param="X-Oxlo-Dry-Run")


class DryRunLimit:
    """Rate limit of dry runs, which are free: as many per minute as the plan allows calls."""

    def __init__(self) -> None:
        self._minute = 0
        self._used: dict[str, int] = {}

    def take(self, account: str, plan: Plan, now: float) -> None:
        """Count a dry run. Raises MinuteLimitExceeded."""
        minute = minute_of(now)
        if minute != self._minute:
            self._minute = minute
            self._used.clear()
        used = self._used.get(account, 0)
        if plan.requests_per_minute is not None and used >= plan.requests_per_minute:
            raise MinuteLimitExceeded(
                f"The {plan.name} plan allows {plan.requests_per_minute} dry runs a minute.",
                code="dry_run_limit_exceeded",
                retry_after=minute_resets_in(now),
                limit=plan.requests_per_minute,
            )
        self._used[account] = used + 1


class DryRun(Call):
    """A call that stops before the queue."""

    __slots__ = ("_limit", "_standing")

    def __init__(
        self, gateway: Core, exchange: Exchange, endpoint: Endpoint, limit: DryRunLimit
    ) -> None:
        super().__init__(gateway, exchange, endpoint)
        self._limit = limit
        self._standing: Standing

    def body(self, body: Body) -> None:
        """Apply the rate limit, then process the body as a call would."""
        try:
            self._limit.take(self.caller.account, self.plan, self._gateway.wall())
        except ApiError as error:
            self.refuse(error)
        else:
            super().body(body)

    def _reserve(self, wall: float) -> None:
        """Check the limits without reserving anything."""
        self.stream = self.sse = False  # the response is always JSON
        self._gateway.calls.add(self)
        self._gateway.ledger.fetch_limits(
            self.caller.account, self.plan, wall, self._alone(self._on_standing)
        )

    def _on_standing(self, result: Standing | ApiError) -> None:
        if self.stage is Stage.DONE:
            return
        wall = self._gateway.wall()
        try:
            if isinstance(result, ApiError):
                raise result
            self._standing = result
            _check(self.plan, result, wall)
            if not self._decision.group.ready:
                raise Overloaded(f"{self.model_id} is starting. Try again shortly.", retry_after=5)
        except ApiError as error:
            self.refuse(error)
            return
        self._measure(wall)

    def _measure(self, wall: float) -> None:
        """Always count the prompt's tokens, to report them."""
        if self.endpoint.counts:
            self._count(wall)
        else:
            self._prepare(wall)

    def _enqueue(self, wall: float) -> None:
        """Respond with the prediction instead of joining the queue."""
        group = self._decision.group
        waits = bool(group.queue) or not group.has_slot(self._gateway.clock())
        if waits and len(group.queue) >= self._gateway.settings.queue_limit:
            self._fall_back(QueueFull(retry_after=group.queue.retry_after()))
            return
        place, seconds = group.queue.outlook(self.plan.priority) if waits else (0, 0.0)
        self._done()
        if self.exchange.state is not ExchangeState.DONE:
            body = msgspec.json.encode(self._report(place, seconds, wall))
            self.exchange.reply(200, headers.JSON + self._common_head(), body)

    def _report(self, place: int, seconds: float, wall: float) -> dict[str, Any]:
        decision, (day, minute, in_use) = self._decision, self._standing
        concurrency = self.plan.concurrency
        return {
            "object": "dry_run",
            "accepted": True,
            "model": decision.model.id,
            "endpoint": self.endpoint.name,
            "input_tokens": decision.counted or None,
            "max_tokens": decision.max_tokens if self.endpoint.counts else None,
            "max_tokens_clamped": decision.clamped,
            "limits": {
                "day": window(day, wall),
                "minute": window(minute, wall),
                "concurrency": {
                    "limit": concurrency,
                    "in_use": in_use,
                    "waits": concurrency is not None and in_use >= concurrency,
                },
            },
            "queue": {"place": place, "expected_wait_seconds": round(seconds, 1)},
        }

    # Endings: nothing was reserved and nothing is recorded.

    def fail(self, error: ApiError) -> None:
        """Report the error with which the call would have failed."""
        self.refuse(error)

    def refuse(self, error: ApiError) -> None:
        """Report the error with which the call would have been refused."""
        if self.stage is not Stage.DONE:
            self._done()
            self._send_error(error)

    def _record_refusal(self, status: int, code: str, then: Callable[[], None]) -> None:
        self._done()

    def _done(self) -> None:
        self.stage = Stage.DONE
        self._gateway.calls.discard(self)
        self._release(answered=False)


def _check(plan: Plan, standing: Standing, now: float) -> None:
    """Check that the windows have room. Raises DailyLimitExceeded or MinuteLimitExceeded."""
    day, minute, _ = standing
    if day.remaining == 0:
        raise refusals.day_used_up(plan, day_of(now), now)
    if minute.remaining == 0:
        raise refusals.minute_used_up(plan, minute_of(now), now)
