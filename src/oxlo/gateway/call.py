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
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

from oxlo.engines.dialect import Answer, Decided, Usage
from oxlo.errors import ApiError, EngineFailed, QueueTimedOut, ShuttingDown
from oxlo.fleet.router import Demand
from oxlo.gateway import comments, headers, keeping, prediction, receipts
from oxlo.gateway.admission import Decision, fit
from oxlo.gateway.attachments import Attachments
from oxlo.gateway.attempt import Attempt
from oxlo.gateway.backends import NOTHING, Backend, Slot
from oxlo.gateway.body import Body
from oxlo.gateway.endpoints import Decode, Endpoint, is_form
from oxlo.gateway.exchange import Exchange
from oxlo.gateway.exchange import State as ExchangeState
from oxlo.gateway.media import Asking
from oxlo.gateway.metrics import CallMetrics
from oxlo.gateway.receipts import ANSWERED, Outcome
from oxlo.gateway.upstream import Collect, Sending
from oxlo.ledger.base import Reservation, Waiter
from oxlo.ledger.records import Admitted
from oxlo.ledger.windows import Window
from oxlo.plans import Plan
from oxlo.plans.caller import Caller
from oxlo.queue import Waiting
from oxlo.wire.media import File, Medium

if TYPE_CHECKING:
    from oxlo.gateway.core import Gateway

#: Comments keep a quiet stream's connection alive (proxies cut silent ones).
COMMENT_EVERY: Final = 10.0
NO_USAGE: Final = Usage()
NO_LIMITS: Final = Window(None, 0, 0), Window(None, 0, 0)


class Stage(IntEnum):
    """Where a call is in its life."""

    ADMITTING = 0
    UNPACKING = 1
    COUNTING = 2
    PREPARING = 3
    QUEUED = 4
    SENT = 5
    KEEPING = 6
    DONE = 7


def _nothing() -> None:
    """Nobody waits for this record."""


class Call:
    """One call to an inference endpoint."""

    __slots__ = (
        "_answer", "_attachments", "_commented_at", "_counting", "_decision", "_ended_at", "_files",
        "_gateway", "_keeping", "_last", "_line", "_queued_as", "_reply_head", "_request", "_slot",
        "_tried", "_windows", "admitted", "attempt", "caller", "demand", "endpoint", "exchange",
        "id", "model_id", "plan", "queued_at", "reservation", "sent_at", "sse", "stage", "stream",
        "usage",
    )  # fmt: skip

    def __init__(self, gateway: "Gateway", exchange: Exchange, endpoint: Endpoint) -> None:
        self._gateway = gateway
        self.exchange = exchange
        self.endpoint = endpoint
        self.id = exchange.id.decode()
        self.stage = Stage.ADMITTING
        self.caller: Caller
        self.plan: Plan
        self.model_id = ""
        #: Whether the reply is sent while it is made; and whether as events, which have comments.
        self.stream = self.sse = False
        self.usage = NO_USAGE
        self.reservation: Reservation | None = None
        #: The admission as it stands in the journal.
        self.admitted: Admitted | None = None
        self.attempt: Attempt | None = None
        self.queued_at = self.sent_at = 0.0
        self._request: Any = None
        self._attachments: Attachments | None = None
        self._files: tuple[File, ...] = ()
        self._decision: Decision
        self._line: Waiter | None = None
        self._counting: Sending | None = None
        self._queued_as: Waiting[Call] | None = None
        self._tried: Backend | None = None
        self._slot: Slot | None = None
        #: What the router and the queue go by, once the call is admitted.
        self.demand: Demand = NOTHING
        self._keeping: Asking | None = None
        self._answer: Answer
        self._last = b""
        self._reply_head = b""
        self._windows: tuple[Window, Window] | None = None
        self._commented_at = self._ended_at = 0.0

    # The client's side: `Handler` of `gateway/http.py`.

    def admit(self, caller: Caller) -> None:
        """The caller is known; from here on every refusal has a receipt."""
        self.caller = caller
        self.plan = self._gateway.plan_of(caller)
        self.exchange.body_limit = self.plan.max_body_mb << 20

    def body(self, body: Body) -> None:
        """The whole body is here."""
        endpoint = self.endpoint
        try:
            if endpoint.forms is not None and is_form(self._content_type):
                self._unpack(body, endpoint.forms)
            elif body.path and endpoint.media:
                self._unpack(body, endpoint.decode)
            else:
                self._read(body.read(), endpoint.decode)
        except ApiError as error:
            self._refuse(error)

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

    # Admission.

    @property
    def _content_type(self) -> bytes:
        return self.exchange.headers.get(b"content-type", b"")

    def _unpack(self, body: Body, decode: Decode | None) -> None:
        """Have the files taken out of the body: what is left of it is small."""
        gateway = self._gateway
        gateway.check_admitting()

        def unpacked(result: bytes | ApiError) -> None:
            self.stage = Stage.ADMITTING
            gateway.calls.discard(self)
            try:
                if isinstance(result, ApiError):
                    raise result
                self._read(result, decode)
            except ApiError as error:
                self._refuse(error)

        self._attachments = Attachments(gateway.media, self.id)
        self.stage = Stage.UNPACKING
        gateway.calls.add(self)
        fields = ",".join(self.endpoint.media)
        self._attachments.unpack(body, self._content_type, fields, unpacked)

    def _read(self, body: bytes, decode: Decode | None) -> None:
        assert decode is not None  # routes have refused what the endpoint does not take
        wall = self._gateway.wall()
        self._decide(body, decode, wall)
        self._reserve(wall)

    def _decide(self, body: bytes, decode: Decode, wall: float) -> None:
        gateway = self._gateway
        gateway.check_admitting()
        request, ignored = decode(body)
        self._request = request
        self.model_id = request.model[:100]
        self.stream = request.stream is True
        self.sse = self.stream and request.sse
        if ignored:
            names = headers.clean(", ".join(ignored))
            self._reply_head += b"x-oxlo-ignored-fields: %b\r\n" % names
        self._decision = gateway.admission.decide(
            self.endpoint, request, self.caller, self.plan, wall
        )
        self.model_id = self._decision.model.id

    def _reserve(self, wall: float) -> None:
        got = self._gateway.ledger.reserve(
            self.id, self.caller.account, self.plan, wall, self._line_moved
        )
        if isinstance(got, Reservation):
            self._reserved(got, wall)
        else:
            self._line = got

    def _line_moved(self, result: Reservation | ApiError) -> None:
        self._line = None
        if isinstance(result, ApiError):
            self._refuse(result)
        else:
            self._reserved(result, self._gateway.wall())

    def _reserved(self, reservation: Reservation, wall: float) -> None:
        self.reservation = reservation
        self._gateway.calls.add(self)
        if self._decision.must_count:
            self._count(wall)
        else:
            self._prepare(wall)

    def _count(self, wall: float) -> None:
        """Ask an engine for the exact number of input tokens; other calls go on meanwhile."""
        self.stage = Stage.COUNTING
        backend = next(b for b in self._decision.group.backends if b.ready)
        try:
            asked = backend.dialect.count(self._request, self._engine_view(backend, wall))
        except ApiError as error:
            self.fail(error)
            return
        if not asked:  # this engine cannot say; it refuses what is too long itself
            self._prepare(wall)
            return
        engine_call, read = asked

        def done(status: int, body: bytes) -> None:
            self._counting = None
            if self.stage is Stage.COUNTING:
                self._counted(backend, status, lambda: read(body), body)

        self._counting = backend.upstream.post(engine_call, Collect(done))

    def _counted(self, backend: Backend, status: int, read: Callable[[], int], body: bytes) -> None:
        try:
            if status != 200:
                raise backend.dialect.error(status, body) if status else EngineFailed()
            self._decision.max_tokens = fit(self._decision, read())
        except ApiError as error:
            self.fail(error)
        else:
            self._prepare(self._gateway.wall())

    def _prepare(self, wall: float) -> None:
        """Have the media fetched and looked into, if there are any."""
        media: tuple[Medium, ...] = self._request.media() if self.endpoint.media else ()
        if not media:
            self._enqueue(wall)
            return
        self.stage = Stage.PREPARING
        try:
            if self._attachments is None:
                self._attachments = Attachments(self._gateway.media, self.id)
            self._attachments.inspect(media, self._prepared)
        except ApiError as error:
            self.fail(error)

    def _prepared(self, result: tuple[File, ...] | ApiError) -> None:
        if isinstance(result, ApiError):
            self.fail(result)
        else:
            self._files = result
            self._enqueue(self._gateway.wall())

    def _engine_view(self, backend: Backend, wall: float) -> Decided:
        decision, plan = self._decision, self.plan
        measures = backend.dialect.measures
        return Decided(
            decision.model,
            backend.replica.engine_model,
            None if decision.open_ended else decision.max_tokens,
            decision.priority,
            int(wall),
            plan.max_input_tokens if measures else None,
            plan.max_audio_seconds if measures else None,
            self._files,
            backend.replica.build,
        )

    # The queue.

    def _enqueue(self, wall: float) -> None:
        self.stage = Stage.QUEUED
        self.queued_at = self._gateway.clock()
        decision, group = self._decision, self._decision.group
        if decision.clamped:
            self._reply_head += b"x-oxlo-max-tokens-clamped: %d\r\n" % decision.max_tokens
        self.demand = prediction.demand(self._request, decision, self.caller.account)
        self._gateway.place(self, group)

    def wait(self) -> None:
        """Every slot is taken: stand in the line, unless its turn cannot come in time."""
        if self._queued_as is not None:
            return
        group = self._decision.group
        try:
            group.check_quota(self._gateway.wall(), self.plan.queue_wait)
            waiting = prediction.waiting(self)
            group.queue.push(waiting)
            self._queued_as = waiting
        except ApiError as error:
            self.fail(error)

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
        if self.admitted is not None:  # another try
            attempt.send()
            return
        assert self.reservation is not None
        self.admitted = receipts.admission(self, self.reservation, wall)
        self._gateway.journal.append(self.admitted, attempt.send)

    def expired(self) -> None:
        """The wait for a slot is over."""
        self._queued_as = None
        self.fail(QueueTimedOut(retry_after=self._decision.group.queue.retry_after()))

    # The engine's side: `Owner` of `gateway/attempt.py`.

    def events(self, data: bytes) -> None:
        """Events for the client."""
        if self.exchange.streaming:
            self.exchange.send(data)
        else:
            head = headers.SSE if self.attempt is None else self.attempt.head
            self.exchange.begin(200, head + self._common_head(), data)

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
        group, slot, backend = self._decision.group, self._slot, attempt.backend
        wall = self._gateway.wall()
        backend.failed(wall, attempt.left_alone)
        other = None
        if not attempt.started and self._tried is None:
            other = group.acquire(self.demand, wall, avoid=backend)
            if other is None and attempt.left_alone:  # others are full: a turn there is waited for
                self._give_up(backend)
                self.stage = Stage.QUEUED
                self._gateway.place(self, group)
                return
        if other is None or slot is None:
            self.fail(error)
            return
        self._give_up(backend)
        self.take(other)

    def _give_up(self, backend: Backend) -> None:
        """Let go of the slot where an attempt failed."""
        slot, self._slot = self._slot, None
        self._tried = backend
        self.attempt = None
        if slot is not None:
            self._gateway.release(slot, self._decision.group)

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

    def _common_head(self) -> bytes:
        day, minute = self.windows()
        clock, queued = self._ended_at or self._gateway.clock(), b""
        if self.queued_at:
            waited = (self.sent_at or clock) - self.queued_at
            queued = b"x-oxlo-queue-ms: %b\r\n" % headers.number(int(waited * 1000))
        return b"%bopenai-processing-ms: %b\r\n%b%b%b" % (
            headers.OPENAI_VERSION,
            headers.number(int((clock - self.exchange.arrived) * 1000)),
            headers.rate_limit_head(day, minute),
            queued,
            self._reply_head,
        )

    def _reply(self) -> None:
        if self.exchange.state is not ExchangeState.DONE:
            self.exchange.reply(200, self._answer.head + self._common_head(), self._answer.body)

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

    def _refuse(self, error: ApiError) -> None:
        """Refuse before anything was reserved."""
        if self.stage is Stage.DONE:
            return
        self.stage = Stage.DONE
        self._metrics.refused(error)
        self._record_refusal(error.status, error.error_code, lambda: self._say(error))

    def _record_refusal(self, status: int, code: str, then: Callable[[], None]) -> None:
        gateway = self._gateway
        gateway.calls.discard(self)
        self._drop_files()
        gateway.journal.append(receipts.refusal(self, status, code, gateway.wall()), then)

    def fail(self, error: ApiError) -> None:
        """End an admitted call that was not answered: it does not count."""
        if self.stage is not Stage.DONE:
            self._settle(receipts.failure(error), lambda: self._say(error))

    def _abandon(self, reservation: Reservation) -> None:
        """The client left. Once an engine works, the minute is spent, and at times the day."""
        attempt, outcome = self.attempt, receipts.CANCELLED
        if attempt is not None:
            self.usage = attempt.usage
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
            self._refuse(error)
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
            self._gateway.leave(self, self._decision.group)
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
        self._gateway.release(slot, self._decision.group)

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
        return comments.waiting(self._decision.group.queue, self, clock)
