"""One inference call, from its head to its receipt.

    ADMITTING  the body is awaited, or the account's own line (over its concurrency)
    COUNTING   the engine is asked how many tokens the prompt has
    QUEUED     every slot of the model is taken
    SENT       an attempt is under way at a replica
    DONE       settled: the outcome is in the journal

Nothing here awaits: each step is a callback, so a call that waits for nobody costs no task.
"""

from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from oxlo.engines.dialect import Answer, Decided, Usage
from oxlo.errors import ApiError, EngineFailed, EngineTimedOut, QueueTimedOut, ShuttingDown
from oxlo.gateway import headers
from oxlo.gateway.admission import Decision, fit
from oxlo.gateway.attempt import Attempt
from oxlo.gateway.backends import Backend, now
from oxlo.gateway.endpoints import Endpoint
from oxlo.gateway.http import Exchange
from oxlo.gateway.http import State as ExchangeState
from oxlo.gateway.upstream import Collect, Sending
from oxlo.ledger.memory import Busy, Reservation, Waiter
from oxlo.ledger.records import Admitted, Refused, Settled
from oxlo.plans import Plan
from oxlo.plans.caller import Caller
from oxlo.queue import Waiting

if TYPE_CHECKING:
    from oxlo.gateway.core import Gateway

#: Comments keep a quiet stream's connection alive (proxies cut silent ones).
COMMENT_EVERY = 10.0
DONE_EVENT = b"data: [DONE]\n\n"


class Stage(IntEnum):
    """Where a call is in its life."""

    ADMITTING = 0
    COUNTING = 1
    QUEUED = 2
    SENT = 3
    DONE = 4


def _nothing() -> None:
    """Nobody waits for this record."""


class Call:
    """One call to an inference endpoint."""

    __slots__ = (
        "_answer",
        "_attempt",
        "_commented_at",
        "_counting",
        "_decision",
        "_gateway",
        "_line",
        "_queued_as",
        "_reply_head",
        "_request",
        "_stream",
        "_tried",
        "admitted",
        "caller",
        "endpoint",
        "exchange",
        "plan",
        "queued_at",
        "reservation",
        "sent_at",
        "stage",
        "usage",
    )

    def __init__(self, gateway: "Gateway", exchange: Exchange, endpoint: Endpoint) -> None:
        self._gateway = gateway
        self.exchange = exchange
        self.endpoint = endpoint
        self.stage = Stage.ADMITTING
        self.caller: Caller
        self.plan: Plan
        self.usage = Usage()
        self.reservation: Reservation | None = None
        #: The admission as it stands in the journal.
        self.admitted: Admitted | None = None
        self.queued_at = self.sent_at = 0.0
        self._request: Any = None
        self._stream = False
        self._decision: Decision | None = None
        self._line: Waiter | None = None
        self._counting: Sending | None = None
        self._queued_as: Waiting[Call] | None = None
        self._attempt: Attempt | None = None
        self._tried: Backend | None = None
        self._answer: Answer
        self._reply_head = b""
        self._commented_at = 0.0

    # The client's side: `Handler` of `gateway/http.py`.

    def admit(self, caller: Caller) -> None:
        """The caller is known; from here on every refusal has a receipt."""
        self.caller = caller
        self.plan = self._gateway.plan_of(caller)
        self.exchange.body_limit = self.plan.max_body_mb << 20

    def body(self, body: bytes) -> None:
        """The whole body is here."""
        try:
            self._decide(body)
            self._reserve()
        except ApiError as error:
            self._refuse(error)

    def gone(self) -> None:
        """The client left: whatever it waited for is given up."""
        if self.stage is Stage.DONE or self._request is None:
            return
        if self._line is not None:
            self._line.cancel()
        if self.reservation is None:
            self.stage = Stage.DONE
            self._record_refusal(499, "client_closed", _nothing)
        else:
            self._abandon(self.reservation)

    def paused(self) -> None:
        """The client reads slowly: so do we from the engine."""
        if self._attempt is not None:
            self._attempt.pause()

    def resumed(self) -> None:
        """The client has caught up."""
        if self._attempt is not None:
            self._attempt.resume()

    # Admission.

    def _decide(self, body: bytes) -> None:
        gateway = self._gateway
        gateway.check_admitting()
        self._request, ignored = self.endpoint.decode(body)
        self._stream = self._request.stream is True
        if ignored:
            names = headers.clean(", ".join(ignored))
            self._reply_head += b"x-oxlo-ignored-fields: %b\r\n" % names
        decision = gateway.admission.decide(
            self.endpoint, self._request, self.caller, self.plan, now()
        )
        if decision.clamped:
            self._reply_head += b"x-oxlo-max-tokens-clamped: %d\r\n" % decision.max_tokens
        self._decision = decision

    def _reserve(self) -> None:
        ledger, account = self._gateway.ledger, self.caller.account
        try:
            reservation = ledger.reserve(account, self.plan, now())
        except Busy:
            self._line = ledger.wait(account, self.plan, now(), self._line_moved)
        else:
            self._reserved(reservation)

    def _line_moved(self, result: Reservation | ApiError) -> None:
        self._line = None
        if isinstance(result, ApiError):
            self._refuse(result)
        else:
            self._reserved(result)

    def _reserved(self, reservation: Reservation) -> None:
        self.reservation = reservation
        self._gateway.calls.add(self)
        self.queued_at = self._gateway.clock()
        if self._decided.must_count:
            self._count()
        else:
            self._enqueue()

    @property
    def _decided(self) -> Decision:
        assert self._decision is not None
        return self._decision

    def _count(self) -> None:
        """Ask an engine for the exact number of input tokens; other calls go on meanwhile."""
        self.stage = Stage.COUNTING
        backend = next(b for b in self._decided.group.backends if b.ready)
        asked = backend.dialect.count(self._request, self._engine_view(backend))
        if not asked:  # this engine cannot say; it refuses what is too long itself
            self._enqueue()
            return
        engine_call, read = asked

        def done(status: int, body: bytes) -> None:
            self._counting = None
            if self.stage is Stage.COUNTING:
                self._counted(backend, status, lambda: read(body), body)

        self._counting = backend.upstream.post(engine_call.path, engine_call.body, Collect(done))

    def _counted(self, backend: Backend, status: int, read: Callable[[], int], body: bytes) -> None:
        try:
            if status != 200:
                raise backend.dialect.error(status, body) if status else EngineFailed()
            self._decided.max_tokens = fit(self._decided, read())
        except ApiError as error:
            self.fail(error)
        else:
            self._enqueue()

    def _engine_view(self, backend: Backend) -> Decided:
        decision = self._decided
        return Decided(
            decision.model,
            backend.replica.engine_model,
            decision.max_tokens,
            int(self.plan.priority),
            int(now()),
        )

    # The queue.

    def _enqueue(self) -> None:
        self.stage = Stage.QUEUED
        group = self._decided.group
        backend = None if len(group.queue) else group.acquire(0, now())
        if backend is not None:
            self.take(backend)
            return
        self._queued_as = waiting = self._waiting()
        try:
            group.queue.push(waiting)
        except ApiError as error:
            self._queued_as = None
            self.fail(error)

    def _waiting(self) -> "Waiting[Call]":
        """What the queue needs to know; the cost is the work predicted, in tokens of prefill."""
        return Waiting(
            priority=self.plan.priority,
            account=self.caller.account,
            cost=1 + self._request.text_bytes // 4 + self._decided.max_tokens // 8,
            enqueued_at=self.queued_at,
            wait_limit=self.plan.queue_wait,
            item=self,
        )

    def take(self, backend: Backend) -> None:
        """A slot is ours: write the admission down, then send."""
        self._queued_as = None
        self.stage = Stage.SENT
        self.sent_at = self.sent_at or self._gateway.clock()
        self._attempt = attempt = Attempt(
            self,
            backend,
            self._engine_view(backend),
            self.endpoint,
            self._request,
            self._gateway.clock,
        )
        try:
            engine_call = attempt.build()
        except ApiError as error:
            self.fail(error)
            return
        if self.admitted is None:
            self.admitted = self._admission_record()
            self._gateway.journal.append(self.admitted, lambda: attempt.send(engine_call))
        else:
            attempt.send(engine_call)

    def expired(self) -> None:
        """The wait for a slot is over."""
        self._queued_as = None
        self.fail(QueueTimedOut(retry_after=self._decided.group.queue.retry_after()))

    # The engine's side: `Owner` of `gateway/attempt.py`.

    def stream(self, data: bytes) -> None:
        """Events for the client."""
        if self.exchange.streaming:
            self.exchange.send(data)
        else:
            self.exchange.begin(200, headers.SSE + self._common_head(), data)

    def stream_done(self, tail: bytes) -> None:
        """The stream is complete: the receipt first, then its end."""
        attempt = self._attempt
        assert attempt is not None
        self.usage = attempt.usage
        last = tail + DONE_EVENT
        self._settle(200, "answered", finish=attempt.finish, then=lambda: self._end(last))

    def answered(self, answer: Answer) -> None:
        """The whole reply is here: the receipt first, then the reply."""
        self.usage = answer.usage
        self._answer = answer
        self._settle(200, "answered", finish=answer.finish, then=self._reply)

    def attempt_failed(self, error: ApiError) -> None:
        """Try another replica while nothing with content was seen; else say so."""
        attempt = self._attempt
        assert attempt is not None
        if error.status < 500:
            self.fail(error)
            return
        attempt.backend.breaker.failed(now())
        other = None
        if not attempt.started and self._tried is None:
            other = self._decided.group.acquire(0, now(), avoid=attempt.backend)
        if other is None:
            self.fail(error)
            return
        self._tried = attempt.backend
        self._attempt = None
        self._gateway.release(self._tried, self._decided.group)
        self.take(other)

    # Replies.

    def _common_head(self) -> bytes:
        gateway = self._gateway
        day, minute, _ = gateway.ledger.limits(self.caller.account, self.plan, now())
        elapsed = (gateway.clock() - self.exchange.arrived) * 1000
        return b"%bopenai-processing-ms: %d\r\n%b%b" % (
            headers.OPENAI_VERSION,
            elapsed,
            headers.rate_limit_head(day, minute),
            self._reply_head,
        )

    def _reply(self) -> None:
        if self.exchange.state is not ExchangeState.DONE:
            self.exchange.reply(200, headers.JSON + self._common_head(), self._answer.body)

    def _end(self, last: bytes) -> None:
        if self.exchange.state is not ExchangeState.DONE:
            self.exchange.end(last)

    def _say(self, error: ApiError) -> None:
        """Send an error: with its status while that is possible, else as a stream's event."""
        exchange = self.exchange
        if exchange.state is ExchangeState.DONE:
            return
        if exchange.streaming:
            exchange.end(b"data: " + error.body() + b"\n\n")
            return
        exchange.head += self._common_head()
        exchange.fail(error)

    # Ends.

    def _refuse(self, error: ApiError) -> None:
        """Refuse before anything was reserved."""
        if self.stage is Stage.DONE:
            return
        self.stage = Stage.DONE
        self._metrics.outcome("refused", error.status)
        self._record_refusal(error.status, error.error_code, lambda: self._say(error))

    def fail(self, error: ApiError) -> None:
        """End an admitted call that was not answered: it does not count."""
        if self.stage is Stage.DONE:
            return
        self._settle(
            error.status,
            _outcome_of(error),
            counted=False,
            minute_counted=False,
            error=error.error_code,
            then=lambda: self._say(error),
        )

    def _abandon(self, reservation: Reservation) -> None:
        """The client left. Once an engine works, the minute is spent, and at times the day."""
        attempt = self._attempt
        working = attempt is not None and (attempt.started or not self._stream)
        if attempt is not None:
            self.usage = attempt.usage
        refunded = not working or self._gateway.ledger.may_refund_abandoned(reservation, now())
        self._settle(
            499,
            "abandoned" if working else "cancelled",
            counted=not refunded,
            minute_counted=working,
            error="client_closed",
        )

    def shut(self) -> None:
        """The server stops and this call has not ended in time."""
        self.fail(ShuttingDown(retry_after=5))

    def _settle(
        self,
        status: int,
        outcome: str,
        *,
        counted: bool = True,
        minute_counted: bool = True,
        error: str = "",
        finish: str = "",
        then: Callable[[], None] = _nothing,
    ) -> None:
        """Free what is held, count or give back, and write the outcome down before `then`."""
        gateway, reservation = self._gateway, self.reservation
        assert reservation is not None
        self.stage = Stage.DONE
        wall, ended = now(), gateway.clock()
        gateway.calls.discard(self)
        gateway.ledger.settle(reservation, counted=counted, minute_counted=minute_counted, now=wall)
        record = self._outcome_record(
            reservation, wall, ended, status, outcome, counted, minute_counted, error, finish
        )
        gateway.journal.append(record, then)
        self._measure(record)
        self._let_go(answered=outcome == "answered")

    def _let_go(self, *, answered: bool) -> None:
        """Give back the place in the queue, the slot and the engine's connection."""
        gateway, attempt = self._gateway, self._attempt
        if self._counting is not None:
            self._counting.cancel()
        if self._queued_as is not None:
            self._decided.group.queue.remove(self)
        if attempt is not None:
            if answered:
                attempt.backend.breaker.succeeded()
            else:
                attempt.cancel()
            gateway.release(attempt.backend, self._decided.group)

    def _measure(self, record: Settled) -> None:
        metrics = self._metrics
        metrics.outcome(record.outcome, record.status)
        metrics.queue.observe(record.queue_ms / 1000)
        metrics.total.observe(record.total_ms / 1000)
        if record.first_ms:
            metrics.first.observe(record.first_ms / 1000)
        metrics.tokens(record.tokens_in, record.tokens_out, record.tokens_cached)

    @property
    def _metrics(self) -> Any:
        return self._gateway.call_metrics(self._model_id, self.caller.plan, self.endpoint.name)

    # Records.

    @property
    def _model_id(self) -> str:
        if self._decision is not None:
            return self._decision.model.id
        return str(getattr(self._request, "model", ""))[:100]

    def _admission_record(self) -> Admitted:
        reservation, caller = self.reservation, self.caller
        assert reservation is not None
        return Admitted(
            self.exchange.id.decode(),
            now(),
            caller.account,
            caller.key,
            caller.plan,
            self._decided.model.id,
            self.endpoint.name,
            self._stream,
            reservation.day,
            reservation.minute,
        )

    def _record_refusal(self, status: int, code: str, then: Callable[[], None]) -> None:
        caller = self.caller
        day, minute, _ = self._gateway.ledger.limits(caller.account, self.plan, now())
        record = Refused(
            self.exchange.id.decode(),
            now(),
            caller.account,
            caller.key,
            caller.plan,
            self._model_id,
            self.endpoint.name,
            self._stream,
            status,
            code,
            day.left,
            minute.left,
        )
        self._gateway.journal.append(record, then)

    def _outcome_record(
        self,
        reservation: Reservation,
        wall: float,
        ended: float,
        status: int,
        outcome: str,
        counted: bool,
        minute_counted: bool,
        error: str,
        finish: str,
    ) -> Settled:
        caller, usage, attempt = self.caller, self.usage, self._attempt
        arrived = self.exchange.arrived
        first_at = attempt.first_at if attempt is not None else 0.0
        day, minute, _ = self._gateway.ledger.limits(caller.account, self.plan, wall)
        return Settled(
            self.exchange.id.decode(),
            wall,
            caller.account,
            caller.key,
            caller.plan,
            self._decided.model.id,
            self.endpoint.name,
            self._stream,
            reservation.day,
            reservation.minute,
            status,
            outcome,
            counted,
            minute_counted,
            error,
            attempt.backend.id if attempt is not None else "",
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.cached_tokens,
            finish,
            _ms((self.sent_at or ended) - self.queued_at),
            _ms(first_at - arrived) if first_at else 0.0,
            _ms(ended - arrived),
            day.left,
            minute.left,
        )

    # Time.

    def tick(self, clock: float) -> None:
        """Called twice a second: heads held long enough, comments, stalled engines."""
        attempt, timeout = self._attempt, self._gateway.settings.engine_timeout
        if attempt is not None and clock - attempt.last_at > timeout:
            attempt.backend.breaker.failed(now())
            self.fail(EngineTimedOut())
        elif self._stream and self.stage is not Stage.DONE:
            self._keep_alive(clock)

    def _keep_alive(self, clock: float) -> None:
        """A stream that waits gets its head after a while, then a comment now and then."""
        if not self.exchange.streaming:
            if clock - self.exchange.arrived > self._gateway.settings.head_hold:
                self._commented_at = clock
                self.stream(self._comment(clock))
            return
        last = self._attempt.last_at if self._attempt is not None else 0.0
        if clock - max(last, self._commented_at) >= COMMENT_EVERY:
            self._commented_at = clock
            self.exchange.send(self._comment(clock))

    def _comment(self, clock: float) -> bytes:
        """An SSE comment: clients skip it, people who look at the bytes understand it."""
        if self._queued_as is None:
            return b": the model is working\n\n"
        place = self._decided.group.queue.place(self, clock)
        return b": waiting for the model, place %d\n\n" % place


def _outcome_of(error: ApiError) -> str:
    if isinstance(error, QueueTimedOut | EngineTimedOut):
        return "timed_out"
    return "failed" if error.status >= 500 else "refused"


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
