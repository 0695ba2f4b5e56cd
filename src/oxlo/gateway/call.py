"""One inference call, from its head to its receipt.

    ADMITTING  the body is awaited, or the account's own line (over its concurrency)
    UNPACKING  the media process takes the files out of the body
    COUNTING   the engine is asked how many tokens the prompt has
    PREPARING  the media process fetches the media and looks into them
    QUEUED     every slot of the model is taken
    SENT       an attempt is under way at a replica
    KEEPING    the media process keeps what was made, and writes the reply; the slot is free
    DONE       settled: the outcome is in the journal

Nothing here awaits: each step is a callback, so a call that waits for nobody costs no task.
"""

from collections.abc import Callable
from typing import Final

from oxlo.engines.dialect import Answer
from oxlo.errors import ApiError, QueueFull, QueueTimedOut, ShuttingDown
from oxlo.gateway import comments, headers, keeping, prediction, receipts
from oxlo.gateway.active import ActiveCall, Stage
from oxlo.gateway.attempt import Attempt
from oxlo.gateway.backends import NOTHING, Backend, Slot
from oxlo.gateway.core import Core
from oxlo.gateway.endpoints import Endpoint
from oxlo.gateway.exchange import Exchange
from oxlo.gateway.exchange import State as ExchangeState
from oxlo.gateway.intake import Intake
from oxlo.gateway.media import Asking
from oxlo.gateway.metrics import CallMetrics
from oxlo.gateway.receipts import ANSWERED, Outcome
from oxlo.ledger.base import Reservation
from oxlo.ledger.slots import Asked
from oxlo.ledger.windows import Window
from oxlo.queue import Waiting

#: Comments keep a quiet stream's connection alive (proxies cut silent ones).
COMMENT_EVERY: Final = 10.0
NO_LIMITS: Final = Window(None, 0, 0), Window(None, 0, 0)


def _nothing() -> None:
    """Nobody waits for this record."""


class Call(Intake):
    """One call to an inference endpoint."""

    __slots__ = (
        "_answer", "_commented_at", "_ended_at", "_failure", "_keeping", "_last", "_queued_as",
        "_slot", "_unheeded", "_windows",
    )  # fmt: skip

    def __init__(self, gateway: Core, exchange: Exchange, endpoint: Endpoint) -> None:
        super().__init__(gateway, exchange, endpoint)
        self._queued_as: Waiting[ActiveCall] | None = None
        #: Why it failed, where another replica is tried at once or not at all.
        self._failure: ApiError | None = None
        self._slot: Slot | None = None
        #: Samplers that the engine has not.
        self._unheeded: tuple[str, ...] = ()
        self._keeping: Asking | None = None
        self._answer: Answer
        self._last = b""
        self._windows: tuple[Window, Window] | None = None
        self._commented_at = self._ended_at = 0.0

    def _enlist(self) -> None:
        self._gateway.calls.add(self)

    def _strike(self) -> None:
        self._gateway.calls.discard(self)

    # The client's side: `Handler` of `gateway/http.py`.

    def gone(self) -> None:
        """The client left: whatever it waited for is given up."""
        if self.stage is Stage.DONE or (self._request is None and self._attachments is None):
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
        if self.attempt is not None:
            self.attempt.pause()

    def resumed(self) -> None:
        """The client has caught up."""
        if self.attempt is not None:
            self.attempt.resume()

    # The queue.

    def _ahead(self) -> Asked | None:
        """Where gateways share slots: one step in Valkey, when nothing has to be done between."""
        placing, decision = self._gateway.placing, self._decision
        if not placing.shared or decision.must_count:
            return None
        if self.endpoint.media and self._request.media():
            return None
        self.demand = prediction.demand(self._request, decision, self.caller.account)
        return placing.prepare(self, decision.group)

    def _enqueue(self, wall: float) -> None:
        self.stage = Stage.QUEUED
        self.queued_at = self.queued_at or self._gateway.clock()
        decision, group = self._decision, self._decision.group
        if decision.clamped:
            self._reply_head += b"x-oxlo-max-tokens-clamped: %d\r\n" % decision.max_tokens
        if self.demand is NOTHING:
            self.demand = prediction.demand(self._request, decision, self.caller.account)
        self._gateway.placing.place(self, group)

    def wait(self) -> None:
        """Every slot is taken: stand in the line, unless its turn cannot come in time."""
        if self._queued_as is not None:
            return
        group = self._decision.group
        try:
            if self._failure is not None:
                raise self._failure
            if self._chain and self._waits_too_long() and self._move_on(QueueTimedOut()):
                return
            group.check_quota(self._gateway.clock(), self.plan.queue_wait)
            waiting = prediction.waiting(self)
            group.queue.push(waiting)
            self._queued_as = waiting
        except ApiError as error:
            self._pass_on(error)

    @property
    def priority(self) -> int:
        """Its plan's, as the line in Valkey has it; higher goes first."""
        return self._decision.priority

    @property
    def may_wait(self) -> bool:
        """Whether it stands in the line when no slot is free."""
        return self._failure is None

    def full(self) -> None:
        """No slot is free, and nobody else may wait for one."""
        retry_after = self._decision.group.queue.retry_after()
        self._pass_on(self._failure or QueueFull(retry_after=retry_after))

    def take(self, slot: Slot) -> None:
        """A slot is ours: write the admission down, then send."""
        self._queued_as, self._slot = None, slot
        wall, clock = self._gateway.wall(), self._gateway.clock()
        self.stage = Stage.SENT
        self.sent_at = self.sent_at or clock
        self.attempt = attempt = Attempt(
            self, slot.backend, self._engine_view(slot.backend, wall), self.endpoint,
            self._request, self._gateway.clock, clock,
        )  # fmt: skip
        try:
            attempt.build()
        except ApiError as error:
            self.fail(error)
            return
        self._unheeded = attempt.decided.unheeded
        if self.admitted is not None:  # another try
            attempt.send()
            return
        assert self.reservation is not None
        self.admitted = receipts.admission(self, self.reservation, wall)
        self._gateway.journal.append(self.admitted, attempt.send)

    def expired(self) -> None:
        """The wait for a slot is over."""
        self._queued_as = None
        self._pass_on(QueueTimedOut(retry_after=self._decision.group.queue.retry_after()))

    def _pass_on(self, error: ApiError) -> None:
        if not self._move_on(error):
            self.fail(error)

    def _waits_too_long(self) -> bool:
        """Whether its turn would come, at the pace of the latest slots, after its time is over."""
        _, seconds = self._decision.group.queue.outlook(self.plan.priority)
        return seconds > self.plan.queue_wait

    def _move_on(self, error: ApiError) -> bool:
        """The next model that the caller allows has its turn; False: there is none."""
        group, wall = self._decision.group, self._gateway.wall()
        if not self._next_model(error, wall):
            return False
        assert self._chain is not None
        self._gateway.placing.leave(self, group)
        self.avoid = self._failure = None
        self.demand = NOTHING
        self.sent_at = 0.0
        self._reply_head = self._chain.head
        self._measure(wall)
        return True

    # The engine's side: `Owner` of `gateway/attempt.py`.

    def events(self, data: bytes) -> None:
        """Events for the client."""
        if self.exchange.streaming:
            self.exchange.send(data)
        else:
            attempt = self.attempt
            if attempt is None:
                self.exchange.begin(200, headers.SSE + self._common_head(), data)
            else:
                self.exchange.begin(200, attempt.head + self._common_head(self.model_id), data)

    def stream_done(self, tail: bytes) -> None:
        """The stream is complete: the receipt first, then its end."""
        attempt = self.attempt
        assert attempt is not None
        self.usage = attempt.usage
        self._last = tail + attempt.ending
        self._settle(receipts.answer(attempt.finish), self._end)

    def answered(self, answer: Answer) -> None:
        """The engine's whole reply is here."""
        keep = self.endpoint.keep
        if keep is None:
            self._finish(answer)
            return
        self.stage = Stage.KEEPING
        self._free_slot(answered=True)
        wanted = keep(self._request)
        self._keeping = keeping.ask(self._gateway.media, answer.body, wanted, self._kept)

    def _kept(self, result: Answer | ApiError) -> None:
        self._keeping = None
        if isinstance(result, ApiError):
            self.fail(result)
        else:
            self._finish(result)

    def _finish(self, answer: Answer) -> None:
        """The reply is as the client gets it: the receipt first, then the reply."""
        self.usage = answer.usage
        self._answer = answer
        self._settle(receipts.answer(answer.finish), self._reply)

    def attempt_failed(self, error: ApiError) -> None:
        """Try another replica while nothing with content was seen; else say so."""
        attempt = self.attempt
        assert attempt is not None
        if error.status < 500:
            self.fail(error)
            return
        backend, left_alone = attempt.backend, attempt.left_alone
        backend.failed(self._gateway.clock(), left_alone)
        if attempt.started:
            self.fail(error)
            return
        again = self.avoid is None
        self._give_up(backend)
        if not again:
            self._pass_on(error)
            return
        self._failure = None if left_alone else error  # when others are full, a turn is waited for
        self.stage = Stage.QUEUED
        self._gateway.placing.place(self, self._decision.group)

    def _give_up(self, backend: Backend) -> None:
        """Let go of the slot where an attempt failed."""
        slot, self._slot = self._slot, None
        self.avoid = backend
        self.attempt = None
        if slot is not None:
            self._gateway.placing.release(slot, self._decision.group)

    # Replies.

    def windows(self) -> tuple[Window, Window]:
        """The account's day and minute: as they stand, and from the end on as they stood then."""
        if self._windows is None:
            plan, gateway, found = self.plan, self._gateway, NO_LIMITS
            if plan.requests_per_day is not None or plan.requests_per_minute is not None:
                day, minute, _ = gateway.ledger.limits(self.caller.account, plan, gateway.wall())
                found = day, minute
            if self.stage is not Stage.DONE:
                return found
            self._windows = found
        return self._windows

    def _common_head(self, model: str = "") -> bytes:
        """Header lines of every reply; `model` is who answers, where somebody does."""
        day, minute = self.windows()
        clock, queued = self._ended_at or self._gateway.clock(), b""
        if self.queued_at:
            waited = (self.sent_at or clock) - self.queued_at
            queued = b"x-oxlo-queue-ms: %b\r\n" % headers.number(int(waited * 1000))
        if self._chain is not None:
            queued += self._chain.lines(model)
        if self._unheeded:
            queued += headers.ignored(self._unheeded)
        return b"%bopenai-processing-ms: %b\r\n%b%b%b" % (
            headers.OPENAI_VERSION,
            headers.number(int((clock - self.exchange.arrived) * 1000)),
            headers.rate_limit_head(day, minute),
            queued,
            self._reply_head,
        )

    def _reply(self) -> None:
        if self.exchange.state is not ExchangeState.DONE:
            head = self._answer.head + self._common_head(self.model_id)
            self.exchange.reply(200, head, self._answer.body)

    def _end(self) -> None:
        if self.exchange.state is not ExchangeState.DONE:
            self.exchange.end(self._last)

    def _say(self, error: ApiError) -> None:
        """Send an error: with its status while that is possible, else as a stream's event."""
        exchange = self.exchange
        if exchange.state is ExchangeState.DONE:
            return
        if exchange.streaming and self.sse:
            exchange.cut(b"data: " + error.body() + b"\n\n")
            return
        exchange.head += self._common_head()
        exchange.fail(error)

    # Ends.

    def refuse(self, error: ApiError) -> None:
        """Refuse before anything was reserved."""
        if self.stage is Stage.DONE:
            return
        self.stage = Stage.DONE
        self._metrics.refused(error)
        self._record_refusal(error.status, error.error_code, lambda: self._say(error))

    def _record_refusal(self, status: int, code: str, then: Callable[[], None]) -> None:
        gateway = self._gateway
        self._strike()
        self._drop_files()
        gateway.journal.append(receipts.refusal(self, status, code, gateway.wall()), then)

    def fail(self, error: ApiError) -> None:
        """End an admitted call that was not answered: it does not count."""
        if self.stage is not Stage.DONE:
            if self.attempt is not None:
                self.usage = self.attempt.usage_so_far(self._decision.counted)
            self._settle(receipts.failure(error), lambda: self._say(error))

    def _abandon(self, reservation: Reservation) -> None:
        """The client left. Once an engine works, the minute is spent, and at times the day."""
        attempt, outcome = self.attempt, receipts.CANCELLED
        if attempt is not None:
            self.usage = attempt.usage_so_far(self._decision.counted)
            if attempt.started or not self.stream:
                outcome = self._abandoned_at_work(reservation)
        self._settle(outcome, _nothing)

    def _abandoned_at_work(self, reservation: Reservation) -> Outcome:
        gateway = self._gateway
        if gateway.ledger.may_refund_abandoned(reservation, gateway.wall()):
            return receipts.ABANDONED_REFUNDED
        return receipts.ABANDONED

    def shut(self) -> None:
        """The server stops and this call has not ended in time."""
        error = ShuttingDown(retry_after=5)
        if self.reservation is None:
            self.refuse(error)
        else:
            self.fail(error)

    def _settle(self, outcome: Outcome, then: Callable[[], None]) -> None:
        """Free what is held, count or give back, and write the outcome down before `then`."""
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
        if outcome.name is ANSWERED:
            prediction.learn(self, self._decision)
        self._let_go(answered=outcome.name is ANSWERED)

    def _let_go(self, *, answered: bool) -> None:
        """Give back the place in the queue, the slot and the engine's connection."""
        self._drop_files()
        if self._counting is not None:
            self._counting.cancel()
        if self._keeping is not None:
            self._keeping.cancel()
        if self.queued_at and self._slot is None:
            self._gateway.placing.leave(self, self._decision.group)
        self._free_slot(answered=answered)
        self.attempt = None

    def _free_slot(self, *, answered: bool) -> None:
        """The engine has done its part, or is let go."""
        attempt, slot = self.attempt, self._slot
        if attempt is None or slot is None:
            return
        self._slot = None
        if answered:
            attempt.backend.breaker.succeeded()
        else:
            attempt.cancel()
        self._gateway.placing.release(slot, self._decision.group)

    def _drop_files(self) -> None:
        attachments, self._attachments = self._attachments, None
        if attachments is not None:
            attachments.close()

    @property
    def _metrics(self) -> CallMetrics:
        return self._gateway.call_metrics(self.model_id, self.caller.plan, self.endpoint.name)

    # Time.

    def tick(self, clock: float) -> None:
        """Called twice a second: heads held long enough, comments, stalled engines."""
        self._check_counting(clock)
        attempt = self.attempt
        if (
            attempt is not None
            and self.stage is Stage.SENT
            and attempt.is_stalled(clock, self._gateway.settings.engine_timeout)
        ):
            attempt.time_out()
        elif self.sse and self.stage is not Stage.DONE:
            self._keep_alive(clock)

    def _keep_alive(self, clock: float) -> None:
        """A stream that waits gets its head after a while, then a comment now and then."""
        if not self.exchange.streaming:
            if clock - self.exchange.arrived > self._gateway.settings.head_hold:
                self._commented_at = clock
                self.events(self._comment(clock))
            return
        last = self.attempt.last_at if self.attempt is not None else 0.0
        if clock - max(last, self._commented_at) >= COMMENT_EVERY:
            self._commented_at = clock
            self.exchange.send(self._comment(clock))

    def _comment(self, clock: float) -> bytes:
        if self._queued_as is None:
            return comments.WORKING
        shared = self._gateway.placing.place_of(self)
        return comments.waiting(self._decision.group.queue, self, clock, shared)
