"""One attempt to serve a call at a replica, which translates the engine's response."""

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
from oxlo.gateway.upstream_request import UpstreamRequest

log = structlog.get_logger()

#: Maximum number of bytes read of an error response.
ERROR_LIMIT: Final = 1 << 20
#: Status of an upstream server whose quota is used up.
TOO_MANY: Final = 429


class Owner(Protocol):
    """The call that an attempt belongs to."""

    def events(self, data: bytes) -> None:
        """Forward events to the client; the first ones have content."""

    def stream_done(self, tail: bytes) -> None:
        """Finish the stream; `tail` and `[DONE]` remain to be sent."""

    def answered(self, answer: Answer) -> None:
        """Handle a complete response."""

    def attempt_failed(self, error: ApiError) -> None:
        """Handle a failed attempt."""


class Attempt:
    """Receives one engine's response."""

    __slots__ = (
        "_chunks",
        "_clock",
        "_endpoint",
        "_engine_call",
        "_held",
        "_over",
        "_owner",
        "_paused",
        "_request",
        "_size",
        "_status",
        "_translator",
        "_upstream_request",
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
        #: Times of the first content and of the latest data.
        self.first_at = 0.0
        self.last_at = now
        #: Whether the engine has sent content, after which no other replica may be tried.
        self.started = False
        #: Seconds for which the engine asked not to be called, as its quota is used up.
        self.left_alone = 0.0
        self._over = False
        #: Whether the engine is not read because the client reads slowly.
        self._paused = False
        self._engine_call: EngineCall
        self._status = 0
        self._chunks: list[bytes] = []
        self._size = 0
        self._held = b""
        self._translator: Translator | None = None
        self._upstream_request: UpstreamRequest | None = None

    def build(self) -> None:
        """Encode the engine's request. Raises ApiError if its dialect cannot express it."""
        self._engine_call = self._endpoint.build(self.backend.dialect, self._request, self.decided)

    def send(self) -> None:
        """Send the request, unless the attempt was cancelled in the meantime."""
        if not self._over:
            engine_call = self._engine_call
            self._upstream_request = self.backend.upstream.post(engine_call, self)

    @property
    def usage(self) -> Usage:
        """Token usage reported at the end of a stream."""
        return self._translator.usage if self._translator is not None else Usage()

    def usage_so_far(self, prompt: int) -> Usage:
        """Token usage of an unfinished stream, estimated if the engine has not reported any.

        `prompt`: the number of input tokens if counted before, otherwise 0.
        """
        if self._translator is None:
            return Usage()
        reported, pieces = self._translator.usage, self._translator.pieces
        return Usage(
            reported.prompt_tokens or (prompt if pieces else 0),
            max(reported.completion_tokens, pieces),
            reported.cached_tokens,
            reported.reasoning_tokens,
        )

    @property
    def head(self) -> bytes:
        """Header lines of a stream: its content type."""
        return self._translator.head if self._translator is not None else SSE

    @property
    def ending(self) -> bytes:
        """The bytes that end the client's stream."""
        return self._translator.ending if self._translator is not None else b""

    @property
    def finish(self) -> str:
        """A stream's finish reason."""
        return self._translator.finish if self._translator is not None else ""

    def cancel(self) -> None:
        """Cancel by disconnecting, which makes the engine stop."""
        self._over = True
        request, self._upstream_request = self._upstream_request, None
        if request is not None:
            request.cancel()

    def is_stalled(self, clock: float, timeout: float) -> bool:
        """Whether the engine has been silent for longer than allowed, while it was read."""
        if self.backend.dialect.watched or self._paused:
            return False
        return clock - self.last_at > timeout

    def time_out(self) -> None:
        """Fail because the engine was silent for too long."""
        self._fail(EngineTimedOut())

    def pause(self) -> None:
        """Pause reading."""
        self._paused = True
        if self._upstream_request is not None:
            self._upstream_request.pause()

    def resume(self) -> None:
        """Resume reading, from when on the engine's silence counts again."""
        if self._paused:
            self._paused, self.last_at = False, self._clock()
        if self._upstream_request is not None:
            self._upstream_request.resume()

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """Handle the response head; `last_at` is only updated by data after it."""
        self._status = status
        if status == TOO_MANY:
            self.left_alone = quota.seconds(headers.get(b"retry-after", b""), time())
        stream = self._endpoint.stream
        if status == 200 and stream is not None and self._request.stream is True:
            self._translator = stream(self.backend.dialect, self._request, self.decided)

    def on_data(self, data: bytes) -> None:
        """Handle a chunk of the response body."""
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
        """Buffer a chunk of an unstreamed response, up to the endpoint's limit."""
        self._size += len(data)
        most = self._endpoint.largest if self._status == 200 else ERROR_LIMIT
        if self._size > most:
            self._chunks.clear()
            self._fail(EngineFailed())
        else:
            self._chunks.append(data)

    def _before_start(self, translator: Translator, out: bytes) -> None:
        """Hold back events without content, so that an error can still be sent with its status."""
        self._held += out
        if translator.started:
            self._start()

    def _start(self) -> None:
        self.started = True
        self.first_at = self.last_at
        held, self._held = self._held, b""
        self._owner.events(held)

    def _stream_done(self, translator: Translator) -> None:
        if not self.started:  # an empty answer is valid
            self._start()
        self._over = True
        self.resume()  # a paused connection would never see its response's end
        self._owner.stream_done(translator.close())

    def on_end(self) -> None:
        """Handle the end of the engine's response."""
        self._upstream_request = None
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
        """Handle a broken exchange with the engine."""
        self._upstream_request = None
        if not self._over:
            log.warning("engine.exchange_failed", replica=self.backend.id, reason=reason)
            self._fail(EngineFailed())

    def _fail(self, error: ApiError) -> None:
        self.cancel()
        self._owner.attempt_failed(error)
