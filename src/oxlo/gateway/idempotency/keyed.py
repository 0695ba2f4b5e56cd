"""`Idempotency-Key`: a repeated call is not made again.

    FINGERPRINT   the request is hashed, because a key is valid for one request only
    CLAIM         ask the store: is there a response, is it being produced, or is the key free?
    LEADING       free: make the call as usual, storing the response while it is sent
    JOINED        being produced by this process: send the same bytes as they arrive
    WAITING       being produced by another gateway: ask again periodically

Only successful responses are stored. Requests without a key skip all of this.
"""

import asyncio
import hashlib
import re
from collections.abc import Callable, Mapping
from functools import partial

from oxlo.errors import ApiError, BadRequest, Conflict, Overloaded
from oxlo.gateway import headers, receipts
from oxlo.gateway.body import Body
from oxlo.gateway.call import Call
from oxlo.gateway.core import Core
from oxlo.gateway.endpoints import Endpoint, is_form
from oxlo.gateway.exchange import Exchange, State
from oxlo.gateway.idempotency.answers import Answers, Kept, Running, name_of
from oxlo.gateway.idempotency.shared import TOO_LARGE, Shared
from oxlo.ledger.windows import Window
from oxlo.plans import Plan
from oxlo.plans.caller import Caller

HEADER = b"idempotency-key"
KEY_MAX = 255
#: Time-dependent header lines, which are regenerated when a response is replayed.
_TIME_DEPENDENT = (b"x-ratelimit-", b"openai-processing-ms", b"openai-version", b"x-oxlo-queue-ms")
_BOUNDARY = re.compile(rb'boundary="?([^";,]+)"?', re.IGNORECASE)


def check(given: Mapping[bytes, bytes]) -> None:
    """Validate the key, if there is one. Raises BadRequest."""
    key = given.get(HEADER)
    if key is None:
        return
    if not 1 <= len(key) <= KEY_MAX or not all(0x21 <= byte <= 0x7E for byte in key):
        raise BadRequest(
            f"An Idempotency-Key has 1 to {KEY_MAX} visible ASCII characters, without spaces.",
            param="Idempotency-Key",
        )


def fingerprint(path: str, content_type: bytes, body: bytes) -> str:
    """A hash of the request. A form's boundary, which differs in each attempt, is excluded."""
    boundary = _BOUNDARY.search(content_type) if is_form(content_type) else None
    if boundary is not None:
        body = body.replace(boundary.group(1), b"")
    return hashlib.sha256(path.encode() + b"\0" + body).hexdigest()


class Idempotency:
    """One gateway's calls in progress, and clients waiting for those of other gateways."""

    def __init__(self, gateway: Core, answers: Answers) -> None:
        self.gateway = gateway
        self.answers = answers
        self.running: dict[str, Shared] = {}
        #: Clients waiting for a claim that another client of this gateway has requested.
        self.claiming: dict[str, list[Keyed]] = {}
        self.waiting: set[Keyed] = set()

    def tick(self, now: float) -> None:
        """Ask again for responses that other gateways are producing; called twice a second."""
        self.answers.tick(now)
        waiting, self.waiting = self.waiting, set()
        for client in waiting:
            client.exchange.act(client.seek)


class Keyed:
    """The handler of an exchange with an idempotency key."""

    def __init__(
        self, idempotency: Idempotency, exchange: Exchange, endpoint: Endpoint, key: bytes
    ) -> None:
        self._idempotency = idempotency
        self._gateway = idempotency.gateway
        self.exchange = exchange
        self._endpoint = endpoint
        self._key = key.decode("latin-1")
        self._name = ""
        self._fingerprint = ""
        self._caller: Caller
        self._plan: Plan
        self._shared: Shared | None = None

    def admit(self, caller: Caller) -> None:
        """Set the caller."""
        self._caller = caller
        self._plan = self._gateway.plan_of(caller)
        self._name = name_of(caller.account, self._key)
        self.exchange.body_limit = self._plan.max_body_mb << 20

    def body(self, body: Body) -> None:
        """Hash the complete body; a large one in a thread."""
        if not body.path:
            self._hashed(self._hash(body.read()))
            return

        def done(hashed: asyncio.Future[str]) -> None:
            try:
                fingerprint = hashed.result()
            except OSError:  # the client left and its body was removed, or the disk is broken
                self.refuse(Overloaded("Large requests cannot be read.", retry_after=5))
            else:
                self.exchange.act(partial(self._hashed, fingerprint))

        path = body.path
        work = self._gateway.loop.run_in_executor(None, lambda: self._hash_file(path))
        work.add_done_callback(done)

    def gone(self) -> None:
        """Handle a client that disconnected."""
        self._idempotency.waiting.discard(self)
        shared, self._shared = self._shared, None
        if shared is not None:
            shared.leave(self)

    def crashed(self) -> None:
        """End the call for all its clients."""
        if self._shared is not None:
            self._shared.handler.crashed()
        self.gone()

    def let_go(self) -> None:
        """Drop the reference to the ended response, which breaks a reference cycle."""
        self._shared = None

    def paused(self) -> None:
        """Pause the response while the client reads slowly."""
        if self._shared is not None:
            self._shared.pause(self)

    def resumed(self) -> None:
        """Resume the response."""
        if self._shared is not None:
            self._shared.resume(self)

    def _hash(self, body: bytes) -> str:
        content_type = self.exchange.headers.get(b"content-type", b"")
        return fingerprint(self._endpoint.path, content_type, body)

    def _hash_file(self, path: str) -> str:
        with open(path, "rb") as file:
            return self._hash(file.read())

    def _hashed(self, fingerprint: str) -> None:
        self._fingerprint = fingerprint
        self.seek()

    def seek(self) -> None:
        """Look for the response: in this process, then in the store."""
        idempotency = self._idempotency
        if self.exchange.state is State.DONE:
            return
        running = idempotency.running.get(self._name)
        if running is not None:
            if self._same(running.fingerprint):
                self._join(running)
        elif self._name in idempotency.claiming:
            idempotency.claiming[self._name].append(self)
        else:
            idempotency.claiming[self._name] = []
            idempotency.answers.claim(self._name, self._fingerprint, self._claimed)

    def _claimed(self, result: Kept | Running | ApiError | None) -> None:
        others = self._idempotency.claiming.pop(self._name)
        if isinstance(result, ApiError):
            for client in (self, *others):
                client.refuse(result)
            return
        if self.exchange.state is not State.DONE:
            self.exchange.act(partial(self._take, result))
        elif result is None:
            self._idempotency.answers.release(self._name)
        for client in others:
            client.exchange.act(client.seek)

    def _take(self, result: Kept | Running | None) -> None:
        if result is None:
            self._lead()
        elif not self._same(result.fingerprint):
            return
        elif isinstance(result, Running):
            self._idempotency.waiting.add(self)
        else:
            self._replay(result)

    def _same(self, fingerprint: str) -> bool:
        """Whether the key belongs to this client's request; if not, refuse it."""
        if fingerprint == self._fingerprint:
            return True
        self.refuse(
            Conflict(
                "This Idempotency-Key was sent before with another body. Use a new key for "
                "another request.",
                param="Idempotency-Key",
                code="idempotency_key_reused",
            )
        )
        return False

    def refuse(self, error: ApiError) -> None:
        """Refuse the request, with a receipt like any refused call."""
        if self.exchange.state is not State.DONE:
            call = Call(self._gateway, self.exchange, self._endpoint)
            call.admit(self._caller)
            call.refuse(error)

    # Responses being produced.

    def _lead(self) -> None:
        shared = Shared(self, self._fingerprint, self._ended)
        call = Call(self._gateway, shared, self._endpoint)
        shared.handler = call
        self._shared = self._idempotency.running[self._name] = shared
        call.admit(self._caller)
        call.body(shared.body)

    def _ended(self, shared: Shared) -> None:
        """Store a successful response; until that is done, further clients still join."""
        answers, running = self._idempotency.answers, self._idempotency.running

        def forget() -> None:
            if running.get(self._name) is shared:
                del running[self._name]

        call = shared.handler
        if shared.whole and shared.keepable and isinstance(call, Call):
            kept = Kept(
                fingerprint=self._fingerprint,
                request_id=call.id,
                model=call.model_id,
                stream=shared.streaming,
                head=stored_lines(shared.lines),
                body=shared.answer,
            )
            shared.kept = kept
            answers.keep(self._name, kept, forget)
            for client in shared.later:
                client.repeated(kept)
        else:
            forget()
            answers.release(self._name)

    def _join(self, shared: Shared) -> None:
        if shared.kept is not None:  # complete, and being written to disk
            self._replay(shared.kept)
        elif shared.keepable:
            self._shared = shared  # before joining, which may pause this client at once
            shared.join(self)
        else:
            self.refuse(Conflict(TOO_LARGE, code="idempotency_in_progress"))

    # Stored responses.

    def _replay(self, kept: Kept) -> None:
        day, minute = self._windows()
        head = b"%b%b%bx-oxlo-idempotent-replay: %b\r\n" % (
            kept.head,
            headers.OPENAI_VERSION,
            headers.rate_limit_head(day, minute),
            kept.request_id.encode(),
        )

        def send() -> None:
            if self.exchange.state is not State.DONE:
                self.exchange.reply(200, head, kept.body)

        self.repeated(kept, send)

    def repeated(self, kept: Kept, then: Callable[[], None] = lambda: None) -> None:
        """Write the receipt of a replayed response, then call `then`."""
        gateway, endpoint = self._gateway, self._endpoint.name
        metrics = gateway.call_metrics(kept.model, self._caller.plan, endpoint)
        metrics.outcome(receipts.REPEATED.name, receipts.REPEATED.status)
        seconds = gateway.clock() - self.exchange.arrived
        record = receipts.repeat(
            self.exchange, endpoint, self._caller, kept, self._windows(), gateway.wall(), seconds
        )
        gateway.journal.append(record, then)

    def _windows(self) -> tuple[Window, Window]:
        gateway = self._gateway
        day, minute, _ = gateway.ledger.limits(self._caller.account, self._plan, gateway.wall())
        return day, minute


def stored_lines(lines: bytes) -> bytes:
    """Header lines, except time-dependent ones."""
    kept = [line for line in lines.split(b"\r\n") if line and not line.startswith(_TIME_DEPENDENT)]
    return b"".join(b"%b\r\n" % line for line in kept)
