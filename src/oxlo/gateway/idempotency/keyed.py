"""`Idempotency-Key`: a call that is sent again is not made again.

    FINGERPRINT   what was asked is hashed, so that a key stands for one question only
    CLAIM         is there an answer, does somebody make it, or is it for us to make?
    LEADING       ours to make: a call like any other, remembered while it is sent
    JOINED        made in this process: the same bytes, as they come
    WAITING       made by another gateway: asked for again with each sweep

Only answers that counted are kept. A client that sends no key pays for none of this.
"""

import asyncio
import hashlib
import re
from collections.abc import Callable, Mapping

from oxlo.errors import ApiError, BadRequest, Conflict, Overloaded
from oxlo.gateway import headers, receipts
from oxlo.gateway.body import Body
from oxlo.gateway.call import Call
from oxlo.gateway.core import Core
from oxlo.gateway.endpoints import Endpoint, is_form
from oxlo.gateway.exchange import Exchange, State
from oxlo.gateway.idempotency.answers import Answers, Kept, Running, name_of
from oxlo.gateway.idempotency.shared import Shared
from oxlo.ledger.windows import Window
from oxlo.plans import Plan
from oxlo.plans.caller import Caller

HEADER = b"idempotency-key"
KEY_MAX = 255
#: Header lines that tell of a moment, and are written anew when an answer is sent again.
_OF_A_MOMENT = (b"x-ratelimit-", b"openai-processing-ms", b"openai-version", b"x-oxlo-queue-ms")
_BOUNDARY = re.compile(rb'boundary="?([^";,]+)"?', re.IGNORECASE)


def check(given: Mapping[bytes, bytes]) -> None:
    """Check the key, where a client sent one. Raises BadRequest."""
    key = given.get(HEADER)
    if key is None:
        return
    if not 1 <= len(key) <= KEY_MAX or not all(0x21 <= byte <= 0x7E for byte in key):
        raise BadRequest(
            f"An Idempotency-Key has 1 to {KEY_MAX} visible ASCII characters, without spaces.",
            param="Idempotency-Key",
        )


def fingerprint(path: str, content_type: bytes, body: bytes) -> str:
    """What was asked, as a hash. A form's boundary is new with each try, and says nothing."""
    boundary = _BOUNDARY.search(content_type) if is_form(content_type) else None
    if boundary is not None:
        body = body.replace(boundary.group(1), b"")
    return hashlib.sha256(path.encode() + b"\0" + body).hexdigest()


class Idempotency:
    """The keys of one gateway: calls under way, and those that wait for another gateway's."""

    def __init__(self, gateway: Core, answers: Answers) -> None:
        self.gateway = gateway
        self.answers = answers
        self.running: dict[str, Shared] = {}
        #: Who waits for a claim that another client of this gateway has just made.
        self.claiming: dict[str, list[Keyed]] = {}
        self.waiting: set[Keyed] = set()

    def tick(self, now: float) -> None:
        """Twice a second: ask again for what others make."""
        self.answers.tick(now)
        waiting, self.waiting = self.waiting, set()
        for client in waiting:
            client.seek()


class Keyed:
    """The handler of one exchange that sent a key."""

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
        """The caller is known."""
        self._caller = caller
        self._plan = self._gateway.plan_of(caller)
        self._name = name_of(caller.account, self._key)
        self.exchange.body_limit = self._plan.max_body_mb << 20

    def body(self, body: Body) -> None:
        """The whole body is here: hash it, a large one in a thread."""
        if not body.path:
            self._hashed(self._hash(body.read()))
            return

        def done(hashed: asyncio.Future[str]) -> None:
            try:
                fingerprint = hashed.result()
            except OSError:  # the client left, and its body with it; or the disk is broken
                self.refuse(Overloaded("Large requests cannot be read.", retry_after=5))
            else:
                self._hashed(fingerprint)

        path = body.path
        work = self._gateway.loop.run_in_executor(None, lambda: self._hash_file(path))
        work.add_done_callback(done)

    def gone(self) -> None:
        """The client left."""
        self._idempotency.waiting.discard(self)
        shared, self._shared = self._shared, None
        if shared is not None:
            shared.leave(self)

    def let_go(self) -> None:
        """The answer has ended; we and it refer to each other no more."""
        self._shared = None

    def paused(self) -> None:
        """The client reads slowly."""
        if self._shared is not None:
            self._shared.pause(self)

    def resumed(self) -> None:
        """The client has caught up."""
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
        """Look for the answer: here, then wherever answers are kept."""
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
            idempotency.answers.claim(self._name, self._fingerprint, self._told)

    def _told(self, result: Kept | Running | ApiError | None) -> None:
        others = self._idempotency.claiming.pop(self._name)
        if isinstance(result, ApiError):
            for client in (self, *others):
                client.refuse(result)
            return
        if self.exchange.state is not State.DONE:
            self._take(result)
        elif result is None:
            self._idempotency.answers.release(self._name)
        for client in others:
            client.seek()

    def _take(self, result: Kept | Running | None) -> None:
        if result is None:
            self._lead()
        elif not self._same(result.fingerprint):
            return
        elif isinstance(result, Running):
            self._idempotency.waiting.add(self)
        else:
            self._replay(result)

    def _same(self, asked: str) -> bool:
        """Whether the key stands for what this client asks; else it is told."""
        if asked == self._fingerprint:
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
        """Ask nothing of anybody; there is a receipt, as of any refused call."""
        if self.exchange.state is not State.DONE:
            call = Call(self._gateway, self.exchange, self._endpoint)
            call.admit(self._caller)
            call.refuse(error)

    # An answer that is made now.

    def _lead(self) -> None:
        shared = Shared(self, self._fingerprint, self._ended)
        call = Call(self._gateway, shared, self._endpoint)
        shared.handler = call
        self._shared = self._idempotency.running[self._name] = shared
        call.admit(self._caller)
        call.body(shared.body)

    def _ended(self, shared: Shared) -> None:
        """Keep the answer, if it counted; until it is kept, those who come now still join."""
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
                head=lasting(shared.lines),
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
        if shared.kept is not None:  # it has ended, and is being written to disk
            self._replay(shared.kept)
            return
        try:
            shared.join(self)
        except ApiError as error:
            self.refuse(error)
        else:
            self._shared = shared

    # An answer that was made before.

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
        """Write down that an answer was sent again, then go on."""
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


def lasting(lines: bytes) -> bytes:
    """Header lines without those of a moment."""
    kept = [line for line in lines.split(b"\r\n") if line and not line.startswith(_OF_A_MOMENT)]
    return b"".join(b"%b\r\n" % line for line in kept)
