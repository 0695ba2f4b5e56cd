"""One inference call, from its head to its receipt.

    ADMITTING  waiting for the body, or for a lease of the account (over its concurrency)
    UNPACKING  the media process extracts files from the body
    COUNTING   an engine counts the prompt's tokens
    PREPARING  the media process fetches and inspects media
    QUEUED     all slots of the model are taken
    SENT       an attempt is in progress at a replica
    KEEPING    the media process stores generated images and builds the response; the slot is free
    DONE       settled: the outcome is in the journal

Nothing here awaits: each step is a callback, so a call that need not wait costs no task.
"""

from typing import Final

from oxlo.engines.dialect import Answer
from oxlo.errors import ApiError, InternalError, QueueFull, QueueTimedOut
from oxlo.gateway import comments, headers, image_storage, prediction, receipts
from oxlo.gateway.active import ActiveCall, Stage
from oxlo.gateway.attempt import Attempt
from oxlo.gateway.backends import NOTHING, Backend, Slot
from oxlo.gateway.call_setup import CallSetup
from oxlo.gateway.core import Core
from oxlo.gateway.endpoints import Endpoint
from oxlo.gateway.exchange import Exchange
from oxlo.gateway.exchange import State as ExchangeState
from oxlo.gateway.timed import TimedRequest
from oxlo.ledger.slots import SlotRequest
from oxlo.queue import Waiting

#: Comments keep an idle stream's connection alive (proxies close silent ones).
COMMENT_EVERY: Final = 10.0


class Call(CallSetup):
    """A call to an inference endpoint."""

    __slots__ = (
        "_answer", "_commented_at", "_failure", "_keeping", "_last", "_queued_as", "_slot",
    )  # fmt: skip

    def __init__(self, gateway: Core, exchange: Exchange, endpoint: Endpoint) -> None:
        super().__init__(gateway, exchange, endpoint)
        self._queued_as: Waiting[ActiveCall] | None = None
        #: The error of a failed attempt after which another replica is tried only if it has a free
        #: slot.
        self._failure: ApiError | None = None
        self._slot: Slot | None = None
        self._keeping: TimedRequest | None = None
        self._answer: Answer
        self._last = b""
        self._commented_at = 0.0

    # Client events: `Handler` of `gateway/http.py`.

    def gone(self) -> None:
        """Handle a disconnect: cancel whatever the call waits for."""
        if self.stage is Stage.DONE or (self._request is None and self._attachments is None):
            return
        if self._line is not None:
            self._line.cancel()
        self._abandon()

    def crashed(self) -> None:
        """Handle an unexpected error of ours: the call fails."""
        if self._request is not None or self._attachments is not None:
            if self._line is not None:
                self._line.cancel()
            self.stop(InternalError())

    def paused(self) -> None:
        """Stop reading from the engine while the client reads slowly."""
        if self.attempt is not None:
            self.attempt.pause()

    def resumed(self) -> None:
        """Resume reading from the engine."""
        if self.attempt is not None:
            self.attempt.resume()

    # The queue.

    def _slot_request(self) -> SlotRequest | None:
        """The slot to request with the reservation, if no other step comes between them."""
        scheduler, decision = self._gateway.scheduler, self._decision
        if not scheduler.shared or decision.must_count:
            return None
        if self.endpoint.media and self._request.media():
            return None
        self.demand = prediction.demand(self._request, decision, self.caller.account)
        return scheduler.prepare(self, decision.group)

    def _enqueue(self, wall: float) -> None:
        self.stage = Stage.QUEUED
        self.queued_at = self.queued_at or self._gateway.clock()
        decision, group = self._decision, self._decision.group
        if decision.clamped:
            self._reply_head += b"x-oxlo-max-tokens-clamped: %d\r\n" % decision.max_tokens
        if self.demand is NOTHING:
            self.demand = prediction.demand(self._request, decision, self.caller.account)
        self._gateway.scheduler.place(self, group)

    def wait(self) -> None:
        """Join the queue as all slots are taken, unless the wait would exceed its limit."""
        if self._queued_as is not None:
            return
        if self._failure is not None:
            self._fall_back(self._failure)
            return
        if self._chain and self._waits_too_long() and self._try_next_model(QueueTimedOut()):
            return
        try:
            self._join_queue()
        except ApiError as error:
            self._fall_back(error)

    def _join_queue(self) -> None:
        """Join the queue. Raises QueueFull, or Overloaded if the quota is used up for too long."""
        group, waiting = self._decision.group, prediction.waiting(self)
        group.check_quota(self._gateway.clock(), self.plan.queue_wait)
        group.queue.push(waiting)
        self._queued_as = waiting

    @property
    def priority(self) -> int:
        """The plan's priority, as used by the queue in Valkey; higher goes first."""
        return self._decision.priority

    @property
    def may_wait(self) -> bool:
        """Whether it may join the queue if no slot is free."""
        return self._failure is None

    def full(self) -> None:
        """Fail: no slot is free and the queue is full."""
        retry_after = self._decision.group.queue.retry_after()
        self._fall_back(self._failure or QueueFull(retry_after=retry_after))

    def take(self, slot: Slot) -> None:
        """Start an attempt with an acquired slot."""
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
        """Send the request after recording the admission, which is done once for all attempts."""
        if self.admitted is not None:
            attempt.send()
            return
        assert self.reservation is not None
        self.admitted = receipts.admission(self, self.reservation, wall)
        self._gateway.journal.append(self.admitted, attempt.send)

    def expired(self) -> None:
        """Handle a queue timeout."""
        self._queued_as = None
        self._fall_back(QueueTimedOut(retry_after=self._decision.group.queue.retry_after()))

    def _fall_back(self, error: ApiError) -> None:
        if not self._try_next_model(error):
            self.fail(error)

    def _waits_too_long(self) -> bool:
        """Whether the estimated wait, by the latest rate of slots, exceeds the plan's limit."""
        _, seconds = self._decision.group.queue.outlook(self.plan.priority)
        return seconds > self.plan.queue_wait

    def _try_next_model(self, error: ApiError) -> bool:
        """Continue with the next model of the fallback chain; False if there is none."""
        group, wall = self._decision.group, self._gateway.wall()
        if not self._next_model(error, wall):
            return False
        assert self._chain is not None
        self._gateway.scheduler.leave(self, group)
        self.avoid = self._failure = self._queued_as = None
        self.demand = NOTHING
        self.sent_at = 0.0
        self._reply_head = self._chain.head
        self._measure(wall)
        return True

    # Engine events: `Owner` of `gateway/attempt.py`.

    def events(self, data: bytes) -> None:
        """Send events to the client."""
        exchange, attempt = self.exchange, self.attempt
        if exchange.streaming:
            exchange.send(data)
        elif attempt is None:  # a comment, before any engine has answered
            exchange.begin(200, headers.SSE + self._common_head(), data)
        else:
            exchange.begin(200, attempt.head + self._common_head(self.model_id), data)

    def stream_done(self, tail: bytes) -> None:
        """Finish a stream: write the receipt, then send the end."""
        attempt = self.attempt
        assert attempt is not None
        self.usage = attempt.usage
        self._last = tail + attempt.ending
        self._settle(receipts.answer(attempt.finish), self._end)

    def answered(self, answer: Answer) -> None:
        """Handle an engine's complete response."""
        keep = self.endpoint.keep
        if keep is None:
            self._finish(answer)
            return
        self.stage = Stage.KEEPING
        self._free_slot(answered=True)
        wanted = keep(self._request)
        self._keeping = image_storage.ask(
            self._gateway.media, answer.body, wanted, self._alone(self._kept)
        )

    def _kept(self, result: Answer | ApiError) -> None:
        self._keeping = None
        if isinstance(result, ApiError):
            self.fail(result)
        else:
            self._finish(result)

    def _finish(self, answer: Answer) -> None:
        """Finish a complete response: write the receipt, then send it."""
        self.usage = answer.usage
        self._answer = answer
        self._settle(receipts.answer(answer.finish), self._reply)

    def attempt_failed(self, error: ApiError) -> None:
        """Try another replica if no content was received, else report the error."""
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
            self._fall_back(error)

    def _try_another(self, failed: Attempt, error: ApiError) -> None:
        """Place the call at another replica; after an exhausted quota it may wait for one."""
        self._give_up(failed.backend)
        self._failure = None if failed.left_alone else error
        self.stage = Stage.QUEUED
        self._gateway.scheduler.place(self, self._decision.group)

    def _give_up(self, backend: Backend) -> None:
        """Release the slot of a failed attempt."""
        slot, self._slot = self._slot, None
        self.avoid = backend
        self.attempt = None
        if slot is not None:
            self._gateway.scheduler.release(slot, self._decision.group)

    def _reply(self) -> None:
        if self.exchange.state is not ExchangeState.DONE:
            head = self._answer.head + self._common_head(self.model_id)
            self.exchange.reply(200, head, self._answer.body)

    def _end(self) -> None:
        if self.exchange.state is not ExchangeState.DONE:
            self.exchange.end(self._last)

    def _release(self, *, answered: bool) -> None:
        """Release the queue position, the slot and the engine's connection."""
        self._drop_files()
        if self._counting is not None:
            self._counting.cancel()
        if self._keeping is not None:
            self._keeping.cancel()
        if self.queued_at and self._slot is None:
            self._gateway.scheduler.leave(self, self._decision.group)
        self._free_slot(answered=answered)
        self.attempt = None

    def _free_slot(self, *, answered: bool) -> None:
        """Release the slot when the engine is done, or cancel its work."""
        attempt, slot = self.attempt, self._slot
        if slot is None:
            return
        self._slot = None
        if answered:
            slot.backend.breaker.succeeded()
        elif attempt is not None:
            attempt.cancel()
        self._gateway.scheduler.release(slot, self._decision.group)

    def _drop_files(self) -> None:
        attachments, self._attachments = self._attachments, None
        if attachments is not None:
            attachments.close()

    # Time.

    def tick(self, clock: float) -> None:
        """Handle held heads, comments and stalled engines; called twice a second."""
        self._check_counting(clock)
        attempt, limit = self.attempt, self._gateway.settings.engine_timeout
        if attempt is not None and self.stage is Stage.SENT and attempt.is_stalled(clock, limit):
            attempt.time_out()
        elif self.sse and self.stage is not Stage.DONE:
            self._keep_alive(clock)

    def _keep_alive(self, clock: float) -> None:
        """Send a waiting stream's head after a while, then a comment at intervals."""
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
        shared = self._gateway.scheduler.place_of(self)
        return comments.waiting(self._decision.group.queue, self, clock, shared)
