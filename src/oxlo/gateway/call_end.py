"""How a call ends: the client's response, the settlement and the record."""

from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from oxlo.errors import ApiError, ShuttingDown
from oxlo.gateway import headers, prediction, receipts
from oxlo.gateway.active import ActiveCall, Stage
from oxlo.gateway.admission import Decision
from oxlo.gateway.chain import Chain
from oxlo.gateway.core import Core
from oxlo.gateway.endpoints import Endpoint
from oxlo.gateway.exchange import Exchange
from oxlo.gateway.exchange import State as ExchangeState
from oxlo.gateway.metrics import CallMetrics
from oxlo.gateway.receipts import ANSWERED, Outcome
from oxlo.ledger.base import Reservation
from oxlo.ledger.windows import Window

Result = TypeVar("Result")

NO_LIMITS: Final = Window(None, 0, 0), Window(None, 0, 0)


def _nothing() -> None:
    """Do nothing; used if no client waits for the record."""


class CallEnd(ActiveCall):
    """The part of a call that ends it at any stage; `CallSetup` and `Call` extend it."""

    __slots__ = (
        "_chain", "_decision", "_ended_at", "_gateway", "_reply_head", "_unheeded", "_windows",
    )  # fmt: skip

    def __init__(self, gateway: Core, exchange: Exchange, endpoint: Endpoint) -> None:
        super().__init__(exchange, endpoint)
        self._gateway = gateway
        self._decision: Decision
        #: The fallback chain; None if the client named no other models.
        self._chain: Chain | None = None
        #: Response header lines, collected on the way.
        self._reply_head = b""
        #: Sampling parameters that the engine does not support.
        self._unheeded: tuple[str, ...] = ()
        self._windows: tuple[Window, Window] | None = None
        self._ended_at = 0.0

    def _release(self, *, answered: bool) -> None:
        """Release everything the call holds or waits for."""
        raise NotImplementedError

    @property
    def tried(self) -> str:
        """Models that did not answer, and why; "" if none was skipped."""
        return "" if self._chain is None else self._chain.tried

    # Before the reservation.

    def refuse(self, error: ApiError) -> None:
        """Refuse the call with this error."""
        if self.stage is Stage.DONE:
            return
        self._metrics.refused(error)
        self._record_refusal(error.status, error.error_code, lambda: self._send_error(error))

    def _record_refusal(self, status: int, code: str, then: Callable[[], None]) -> None:
        gateway = self._gateway
        self.stage = Stage.DONE
        gateway.calls.discard(self)
        self._release(answered=False)
        gateway.journal.append(receipts.refusal(self, status, code, gateway.wall()), then)

    # After the reservation.

    def fail(self, error: ApiError) -> None:
        """Fail an admitted call, which then does not count."""
        if self.stage is not Stage.DONE:
            if self.attempt is not None:
                self.usage = self.attempt.usage_so_far(self._decision.counted)
            self._settle(receipts.failure(error), lambda: self._send_error(error))

    def _settle(self, outcome: Outcome, then: Callable[[], None]) -> None:
        """Settle the reservation, record the outcome, then call `then`; release everything held."""
        gateway, reservation = self._gateway, self.reservation
        assert reservation is not None
        self.stage = Stage.DONE
        wall = gateway.wall()
        gateway.calls.discard(self)
        gateway.ledger.settle(
            reservation,
            counted=outcome.counted,
            minute_counted=outcome.minute_counted,
            now=wall,
        )
        self._ended_at = gateway.clock()
        spans = receipts.spans(self, self._ended_at)
        gateway.journal.append(receipts.settlement(self, reservation, outcome, wall, spans), then)
        self._metrics.settled(outcome, self.usage, spans, stream=self.stream)
        answered = outcome.name is ANSWERED
        if answered:
            prediction.learn(self, self._decision)
        self._release(answered=answered)

    # At any stage.

    def shut(self) -> None:
        """Abort: the server stops and the call has not ended in time."""
        self.stop(ShuttingDown(retry_after=5))

    def stop(self, error: ApiError) -> None:
        """End the call with an error."""
        if self.reservation is None:
            self.refuse(error)
        else:
            self.fail(error)

    def _abandon(self) -> None:
        """End the call without a response, because the client disconnected."""
        if self.reservation is None:
            self._record_refusal(499, "client_closed", _nothing)
            return
        attempt, outcome = self.attempt, receipts.CANCELLED
        if attempt is not None:
            self.usage = attempt.usage_so_far(self._decision.counted)
            if attempt.started or not self.stream:
                outcome = self._abandoned_at_work(self.reservation)
        self._settle(outcome, _nothing)

    def _abandoned_at_work(self, reservation: Reservation) -> Outcome:
        """The outcome after the engine has started: the minute counts, and so may the day."""
        gateway = self._gateway
        if gateway.ledger.may_refund_abandoned(reservation, gateway.wall()):
            return receipts.ABANDONED_REFUNDED
        return receipts.ABANDONED

    @property
    def _metrics(self) -> CallMetrics:
        return self._gateway.call_metrics(self.model_id, self.caller.plan, self.endpoint.name)

    def _alone(self, step: Callable[[Result], None]) -> Callable[[Result], None]:
        """A callback for others, whose unexpected error ends this call alone."""
        return lambda result: self.exchange.act(partial(step, result))

    # The response.

    def windows(self) -> tuple[Window, Window]:
        """The account's day and minute windows: current, or as of the call's end."""
        if self._windows is None:
            plan, gateway, windows = self.plan, self._gateway, NO_LIMITS
            if plan.requests_per_day is not None or plan.requests_per_minute is not None:
                day, minute, _ = gateway.ledger.limits(self.caller.account, plan, gateway.wall())
                windows = day, minute
            if self.stage is not Stage.DONE:
                return windows
            self._windows = windows
        return self._windows

    def _common_head(self, model: str = "") -> bytes:
        """Header lines of every response; `model` is the one that answered, if any."""
        day, minute = self.windows()
        clock, more = self._ended_at or self._gateway.clock(), b""
        if self.queued_at:
            waited = (self.sent_at or clock) - self.queued_at
            more = b"x-oxlo-queue-ms: %b\r\n" % headers.number(int(waited * 1000))
        if self._chain is not None:
            more += self._chain.lines(model)
        if self._unheeded:
            more += headers.ignored(self._unheeded)
        return b"%bopenai-processing-ms: %b\r\n%b%b%b" % (
            headers.OPENAI_VERSION,
            headers.number(int((clock - self.exchange.arrived) * 1000)),
            headers.rate_limit_head(day, minute),
            more,
            self._reply_head,
        )

    def _send_error(self, error: ApiError) -> None:
        """Send an error: with its status if no response has begun, otherwise as a stream event."""
        exchange = self.exchange
        if exchange.state is ExchangeState.DONE:
            return
        if exchange.streaming and self.sse:
            exchange.cut(b"data: " + error.body() + b"\n\n")
            return
        exchange.head += self._common_head()
        exchange.fail(error)
