"""One try of a call at one replica: what the engine sends, as the call needs it."""

import math
from collections.abc import Callable
from time import time
from typing import Any, Final, Protocol

import structlog

from oxlo.engines.dialect import SSE, Answer, Decided, EngineCall, Translator, Usage
from oxlo.errors import ApiError, EngineFailed, EngineTimedOut
from oxlo.gateway import quota
from oxlo.gateway.backends import Backend
from oxlo.gateway.endpoints import Endpoint
from oxlo.gateway.sending import Sending

log = structlog.get_logger()

#: Bytes of an error that are read, at most.
ERROR_LIMIT: Final = 1 << 20
#: The status of a server whose caller has used up its quota there.
TOO_MANY: Final = 429


class Owner(Protocol):
    """The call behind an attempt."""

    def events(self, data: bytes) -> None:
        """Events for the client; the first ones have content."""

    def stream_done(self, tail: bytes) -> None:
        """The stream is complete but for `tail` and `[DONE]`."""

    def answered(self, answer: Answer) -> None:
        """The whole reply is here."""

    def attempt_failed(self, error: ApiError) -> None:
        """The attempt is over, and brought no answer."""


class Attempt:
    """Receives one engine's reply."""

    __slots__ = (
        "_chunks",
        "_clock",
        "_endpoint",
        "_engine_call",
        "_held",
        "_over",
        "_owner",
        "_request",
        "_sending",
        "_size",
        "_status",
        "_translator",
        "backend",
        "decided",
        "first_at",
        "last_at",
        "left_alone",
        "started",
    )

    def __init__(
        self,
        owner: Owner,
        backend: Backend,
        decided: Decided,
        endpoint: Endpoint,
        request: Any,
        clock: Callable[[], float],
        now: float,
    ) -> None:
        self._owner = owner
        self.backend = backend
        self.decided = decided
        self._endpoint = endpoint
        self._request = request
        self._clock = clock
        #: When the first content came, and when anything did.
        self.first_at = 0.0
        self.last_at = now
        #: The engine's first content event was seen: no other replica may be tried.
        self.started = False
        #: Seconds that the engine wants to be left alone: its quota is used up.
        self.left_alone = 0.0
        self._over = False
        self._engine_call: EngineCall
        self._status = 0
        self._chunks: list[bytes] = []
        self._size = 0
        self._held = b""
        self._translator: Translator | None = None
        self._sending: Sending | None = None

    def build(self) -> None:
        """Write the engine's request. Raises ApiError when the dialect cannot say it."""
        self._engine_call = self._endpoint.build(self.backend.dialect, self._request, self.decided)

    def send(self) -> None:
        """Send it, unless the attempt was cancelled meanwhile."""
        if not self._over:
            engine_call = self._engine_call
            self._sending = self.backend.upstream.post(engine_call, self)

    @property
    def usage(self) -> Usage:
        """Tokens that a stream has told at its end."""
        return self._translator.usage if self._translator is not None else Usage()

    def usage_so_far(self, prompt: int) -> Usage:
        """Tokens of a stream that has not ended: where none are told, the pieces of the answer.

        `prompt`: as many as were counted before, 0 where nobody did.
        """
        if self._translator is None:
            return Usage()
        told, pieces = self._translator.usage, self._translator.pieces
        return Usage(
            told.prompt_tokens or (prompt if pieces else 0),
            max(told.completion_tokens, pieces),
            told.cached_tokens,
            told.reasoning_tokens,
        )

    @property
    def head(self) -> bytes:
        """Header lines of a stream: its type."""
        return self._translator.head if self._translator is not None else SSE

    @property
    def ending(self) -> bytes:
        """What a stream's client is sent last."""
        return self._translator.ending if self._translator is not None else b""

    @property
    def finish(self) -> str:
        """A stream's finish reason."""
        return self._translator.finish if self._translator is not None else ""

    def cancel(self) -> None:
        """Give up: the engine sees its client gone and stops."""
        self._over = True
        sending, self._sending = self._sending, None
        if sending is not None:
            sending.cancel()

    def is_stalled(self, clock: float, timeout: float) -> bool:
        """Whether the engine has been silent for longer than it may be."""
        return not self.backend.dialect.watched and clock - self.last_at > timeout

    def time_out(self) -> None:
        """It was silent for too long."""
        self._fail(EngineTimedOut())

    def pause(self) -> None:
        """Read no more for now."""
        if self._sending is not None:
            self._sending.pause()

    def resume(self) -> None:
        """Read on."""
        if self._sending is not None:
            self._sending.resume()

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """The engine answers; that something came is noted when more than a head has."""
        self._status = status
        if status == TOO_MANY:
            self.left_alone = quota.seconds(headers.get(b"retry-after", b""), time())
        stream = self._endpoint.stream
        if status == 200 and stream is not None and self._request.stream is True:
            self._translator = stream(self.backend.dialect, self._request, self.decided)

    def on_data(self, data: bytes) -> None:
        """A piece of the engine's reply."""
        self.last_at = self._clock()
        translator = self._translator
        if translator is None:
            self._keep(data)
            return
        if self._over:
            return
        out = translator.feed(data)
        if self.started:
            if out:
                self._owner.events(out)
        else:
            self._before_start(translator, out)
        if translator.error is not None:
            self._fail(translator.error)
        elif translator.done:
            self._stream_done(translator)

    def _keep(self, data: bytes) -> None:
        """Keep a piece of a whole reply, up to what one may have."""
        self._size += len(data)
        most = self._endpoint.largest if self._status == 200 else ERROR_LIMIT
        if self._size > most:
            self._chunks.clear()
            self._fail(EngineFailed())
        else:
            self._chunks.append(data)

    def _before_start(self, translator: Translator, out: bytes) -> None:
        """Hold what has no content yet, so that an error can still have its true status."""
        self._held += out
        if translator.started:
            self._start()

    def _start(self) -> None:
        self.started = True
        self.first_at = self.last_at
        held, self._held = self._held, b""
        self._owner.events(held)

    def _stream_done(self, translator: Translator) -> None:
        if not self.started:  # an empty answer is an answer
            self._start()
        self._over = True
        self._owner.stream_done(translator.close())

    def on_end(self) -> None:
        """The engine's reply is complete."""
        self._sending = None
        if self._over:
            return
        translator = self._translator
        if translator is not None:
            if translator.ended():
                self._stream_done(translator)
            else:
                self._fail(EngineFailed("The model's engine stopped in the middle of its answer."))
            return
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        try:
            answer = self._read(body)
        except ApiError as error:
            self._fail(error)
            return
        self._over = True
        self.first_at = self.last_at
        self._owner.answered(answer)

    def _read(self, body: bytes) -> Answer:
        if self._status != 200:
            raise self._refusal(body)
        return self._endpoint.reply(self.backend.dialect, body, self._request, self.decided)

    def _refusal(self, body: bytes) -> ApiError:
        error = self.backend.dialect.error(self._status, body)
        if self.left_alone:
            error.retry_after = math.ceil(self.left_alone)
        return error

    def on_fail(self, reason: str, *, sent: bool) -> None:
        """The exchange with the engine broke."""
        self._sending = None
        if not self._over:
            log.warning("engine.exchange_failed", replica=self.backend.id, reason=reason)
            self._fail(EngineFailed())

    def _fail(self, error: ApiError) -> None:
        self.cancel()
        self._owner.attempt_failed(error)
