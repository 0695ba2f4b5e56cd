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

from typing import Final

from oxlo.engines.dialect import Answer
from oxlo.errors import ApiError, QueueFull, QueueTimedOut
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
from oxlo.ledger.slots import Asked
from oxlo.queue import Waiting

#: Comments keep a quiet stream's connection alive (proxies cut silent ones).
COMMENT_EVERY: Final = 10.0


class Call(Intake):
    """One call to an inference endpoint."""

    __slots__ = (
        "_answer", "_commented_at", "_failure", "_keeping", "_last", "_queued_as", "_slot",
    )  # fmt: skip

    def __init__(self, gateway: Core, exchange: Exchange, endpoint: Endpoint) -> None:
        super().__init__(gateway, exchange, endpoint)
        self._queued_as: Waiting[ActiveCall] | None = None
        #: Why it failed, where another replica is tried at once or not at all.
        self._failure: ApiError | None = None
        self._slot: Slot | None = None
        self._keeping: Asking | None = None
        self._answer: Answer
        self._last = b""
        self._commented_at = 0.0

    # The client: `Handler` of `gateway/http.py`.

    def gone(self) -> None:
        """The client left: whatever it waited for is given up."""
        if self.stage is Stage.DONE or (self._request is None and self._attachments is None):
            return
        if self._line is not None:
            self._line.cancel()
        self._forsake()

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
        if self._failure is not None:
            self._pass_on(self._failure)
            return
        if self._chain and self._waits_too_long() and self._move_on(QueueTimedOut()):
            return
        try:
            self._line_up()
        except ApiError as error:
            self._pass_on(error)

    def _line_up(self) -> None:
        """Raises QueueFull, or what says that the model's quota is used up for too long."""
        group, waiting = self._decision.group, prediction.waiting(self)
        group.check_quota(self._gateway.clock(), self.plan.queue_wait)
        group.queue.push(waiting)
        self._queued_as = waiting

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
        """A slot is ours: have the engine answer."""
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
        else:
            self._unheeded = attempt.decided.unheeded
            self._send(attempt, wall)

    def _send(self, attempt: Attempt, wall: float) -> None:
        """The admission is written down before the engine is asked, whichever try this is."""
        if self.admitted is not None:
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

    # The engine: `Owner` of `gateway/attempt.py`.

    def events(self, data: bytes) -> None:
        """Events for the client."""
        exchange, attempt = self.exchange, self.attempt
        if exchange.streaming:
            exchange.send(data)
        elif attempt is None:  # a comment: nobody answers yet
            exchange.begin(200, headers.SSE + self._common_head(), data)
        else:
            exchange.begin(200, attempt.head + self._common_head(self.model_id), data)

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
        if error.status >= 500:
            attempt.backend.failed(self._gateway.clock(), attempt.left_alone)
        if error.status < 500 or attempt.started:
            self.fail(error)
        elif self.avoid is None:
            self._try_another(attempt, error)
        else:
            self._give_up(attempt.backend)
            self._pass_on(error)

    def _try_another(self, failed: Attempt, error: ApiError) -> None:
        """Another replica at once; one that is only left alone for a while may be waited for."""
        self._give_up(failed.backend)
        self._failure = None if failed.left_alone else error
        self.stage = Stage.QUEUED
        self._gateway.placing.place(self, self._decision.group)

    def _give_up(self, backend: Backend) -> None:
        """Let go of the slot where an attempt failed."""
        slot, self._slot = self._slot, None
        self.avoid = backend
        self.attempt = None
        if slot is not None:
            self._gateway.placing.release(slot, self._decision.group)

    def _reply(self) -> None:
        if self.exchange.state is not ExchangeState.DONE:
            head = self._answer.head + self._common_head(self.model_id)
            self.exchange.reply(200, head, self._answer.body)

    def _end(self) -> None:
        if self.exchange.state is not ExchangeState.DONE:
            self.exchange.end(self._last)

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

    # Time.

    def tick(self, clock: float) -> None:
        """Called twice a second: heads held long enough, comments, stalled engines."""
        self._check_counting(clock)
        attempt, limit = self.attempt, self._gateway.settings.engine_timeout
        if attempt is not None and self.stage is Stage.SENT and attempt.is_stalled(clock, limit):
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
