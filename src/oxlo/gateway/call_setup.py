"""The first half of a call: read the body, decide, reserve, count tokens, prepare media."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final

from oxlo.engines.dialect import Decided
from oxlo.errors import ApiError, EngineFailed, EngineTimedOut, ModelNotFound, Overloaded
from oxlo.gateway import headers
from oxlo.gateway.active import Stage
from oxlo.gateway.admission import Decision, fit
from oxlo.gateway.attachments import Attachments
from oxlo.gateway.backends import Backend
from oxlo.gateway.body import Body
from oxlo.gateway.call_end import CallEnd
from oxlo.gateway.chain import Chain
from oxlo.gateway.collect import Collect
from oxlo.gateway.core import Core
from oxlo.gateway.endpoints import Decode, Endpoint, is_form
from oxlo.gateway.exchange import Exchange
from oxlo.gateway.upstream_request import UpstreamRequest
from oxlo.ledger.base import Reservation, Waiter
from oxlo.ledger.slots import SlotRequest
from oxlo.plans.caller import Caller
from oxlo.wire.media import File, Medium

#: Maximum size of a token count response; some engines list all tokens.
COUNT_LIMIT: Final = 32 << 20


class CallSetup(CallEnd):
    """A call up to the queue; `Call` implements the rest."""

    __slots__ = ("_attachments", "_counting", "_counting_since", "_files", "_line", "_request")

    def __init__(self, gateway: Core, exchange: Exchange, endpoint: Endpoint) -> None:
        super().__init__(gateway, exchange, endpoint)
        self._request: Any = None
        self._attachments: Attachments | None = None
        self._files: tuple[File, ...] = ()
        self._line: Waiter | None = None
        self._counting: UpstreamRequest | None = None
        self._counting_since = 0.0

    # Implemented by `Call`.

    def _fall_back(self, error: ApiError) -> None:
        """Fall back to the next model of the chain, if any, as this one cannot answer."""
        raise NotImplementedError

    def _slot_request(self) -> SlotRequest | None:
        """The slot to request with the reservation, if possible."""
        raise NotImplementedError

    def _enqueue(self, wall: float) -> None:
        """Join the queue: everything the engine needs is ready."""
        raise NotImplementedError

    # From the head to the reservation.

    def admit(self, caller: Caller) -> None:
        """Set the caller; from here on every refusal gets a receipt."""
        self.caller = caller
        self.plan = self._gateway.plan_of(caller)
        self.exchange.body_limit = self.plan.max_body_mb << 20

    def body(self, body: Body) -> None:
        """Process the complete body."""
        endpoint = self.endpoint
        try:
            if endpoint.forms is not None and is_form(self._content_type):
                self._unpack(body, endpoint.forms)
            elif body.path and endpoint.media:
                self._unpack(body, endpoint.decode)
            else:
                self._read(body.read(), endpoint.decode)
        except ApiError as error:
            self.refuse(error)

    @property
    def _content_type(self) -> bytes:
        return self.exchange.headers.get(b"content-type", b"")

    def _unpack(self, body: Body, decode: Decode | None) -> None:
        """Let the media process extract files from the body, so that the rest is small."""
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
                self.refuse(error)

        self._attachments = Attachments(gateway.media, self.id)
        self.stage = Stage.UNPACKING
        gateway.calls.add(self)
        fields = ",".join(self.endpoint.media)
        self._attachments.unpack(body, self._content_type, fields, self._alone(unpacked))

    def _read(self, body: bytes, decode: Decode | None) -> None:
        assert decode is not None  # the router has rejected unsupported content types
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
            self._reply_head += headers.ignored(ignored)
        if self.endpoint.chains and request.models:
            self._begin_chain(request.models, wall)
        try:
            self._use_decision(self._decide_on(request.model, wall))
        except ApiError as error:
            if not self._next_model(error, wall):
                raise

    def _decide_on(self, name: str, wall: float) -> Decision:
        return self._gateway.admission.decide(
            self.endpoint, self._request, name, self.caller, self.plan, wall
        )

    def _use_decision(self, decision: Decision) -> None:
        self._decision = decision
        self.model_id = decision.model.id

    def _begin_chain(self, names: list[str], wall: float) -> None:
        """Start a fallback chain, after checking that each model may answer this caller."""
        admission, catalogue = self._gateway.admission, self._gateway.catalogue
        for name in names:
            admission.check(self.endpoint, self._request, name, self.caller, self.plan, wall)
        with suppress(ModelNotFound):  # an unknown first model is refused when it is decided on
            self.model_id = catalogue.resolve(self._request.model).id
        models = [catalogue.resolve(name).id for name in names]
        self._chain = Chain([m for m in models if m != self.model_id], self._reply_head)

    def _next_model(self, error: ApiError, wall: float) -> bool:
        """Decide on the next model that is ready; False if there is none, with the call unchanged.

        Errors that the client could fix do not trigger a fallback.
        """
        chain = self._chain
        if chain is None or error.status < 500:
            return False
        place = len(chain)
        while chain:
            name = chain.next()
            try:
                decision = self._decide_on(name, wall)
            except ApiError as other:
                chain.failed(name, other)
                continue
            chain.failed(self.model_id, error, place)
            labels = ("model", self.model_id), ("code", error.error_code)
            self._gateway.metrics.count("oxlo_fallbacks_total", labels)
            self._use_decision(decision)
            return True
        return False

    def _reserve(self, wall: float) -> None:
        got = self._gateway.ledger.reserve(
            self.id,
            self.caller.account,
            self.plan,
            wall,
            self._on_reservation,
            self._slot_request(),
        )
        if isinstance(got, Reservation):
            self._reserved(got, wall)
        else:
            self._line = got

    def _on_reservation(self, result: Reservation | ApiError) -> None:
        self.exchange.act(partial(self._use_reservation, result))

    def _use_reservation(self, result: Reservation | ApiError) -> None:
        self._line = None
        if isinstance(result, ApiError):
            self.refuse(result)
        else:
            self._reserved(result, self._gateway.wall())

    def _reserved(self, reservation: Reservation, wall: float) -> None:
        self.reservation = reservation
        self._gateway.calls.add(self)
        self._measure(wall)

    def _measure(self, wall: float) -> None:
        """Count the prompt's tokens, if its length could matter."""
        if self._decision.must_count:
            self._count(wall)
        else:
            self._prepare(wall)

    def _count(self, wall: float) -> None:
        """Ask an engine for the exact number of input tokens, without blocking other calls."""
        self.stage = Stage.COUNTING
        backend = next((b for b in self._decision.group.backends if b.ready), None)
        if backend is None:  # no longer ready, after the call waited for a lease
            name = self._decision.model.id
            self._fall_back(Overloaded(f"{name} is restarting. Try again shortly.", retry_after=5))
            return
        try:
            question = backend.dialect.count(self._request, self._engine_view(backend, wall))
        except ApiError as error:
            self._fall_back(error)
            return
        if not question:  # this engine cannot count; it rejects long prompts itself
            self._prepare(wall)
            return
        engine_call, read = question

        def done(status: int, body: bytes) -> None:
            counting, self._counting = self._counting, None
            if counting is not None:
                counting.cancel()
            if self.stage is Stage.COUNTING:
                number = partial(read, body)
                self.exchange.act(partial(self._counted, backend, status, number, body))

        self._counting_since = self._gateway.clock()
        self._counting = backend.upstream.post(engine_call, Collect(done, COUNT_LIMIT))

    def _check_counting(self, clock: float) -> None:
        """Time out a token count request."""
        counting, limit = self._counting, self._gateway.settings.engine_timeout
        if counting is None or clock - self._counting_since <= limit:
            return
        self._counting = None
        counting.cancel()
        self._fall_back(EngineTimedOut())

    def _counted(self, backend: Backend, status: int, read: Callable[[], int], body: bytes) -> None:
        try:
            if status != 200:
                raise backend.dialect.error(status, body) if status else EngineFailed()
            decision = self._decision
            decision.counted = read()
            decision.max_tokens = fit(decision, decision.counted)
        except ApiError as error:
            self._fall_back(error)
        else:
            self._prepare(self._gateway.wall())

    def _prepare(self, wall: float) -> None:
        """Fetch and inspect the request's media, if any."""
        media: tuple[Medium, ...] = self._request.media() if self.endpoint.media else ()
        if not media or self._files:  # already done for a previous model of the chain
            self._enqueue(wall)
            return
        self.stage = Stage.PREPARING
        try:
            if self._attachments is None:
                self._attachments = Attachments(self._gateway.media, self.id)
            self._attachments.inspect(media, self._alone(self._prepared))
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
