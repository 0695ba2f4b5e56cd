"""Fast path: a lone short request is answered inline, bypassing uvicorn and Starlette.

Embedding a short text takes 1.5 ms and evicts the CPU caches, which makes the code that runs next
several times slower. uvicorn, Starlette and a thread made up a tenth of such a request. So the few
header lines that a gateway sends are parsed here. Any other request takes the normal path, and so
does one that fails, because the normal path has the error handling.
"""

import hmac
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from oxlo.errors import ApiError
from oxlo.serving.buffering import BufferingProtocol
from oxlo.serving.work import Job, Workers

#: The headers a gateway sends; any other header may change the meaning of the request.
_HEADERS = {b"host", b"authorization", b"content-type", b"content-length"}
#: Runs until code and memory are warm.
_WARM_UPS = 10


@dataclass(frozen=True)
class FastPath:
    """A route that may be answered inline; it blocks the event loop meanwhile."""

    #: Path of the POST request, and its maximum body size in bytes.
    path: str
    max_bytes: int
    #: Compute the JSON response. Raises ApiError.
    answer: Callable[[Job, bytes], bytes]
    #: The body of a long request, for warm-up.
    example: bytes


class FastPathDispatcher:
    """Chooses between fast and normal path for the requests of one event loop iteration."""

    def __init__(self, fast_path: FastPath, workers: Workers, api_key: str) -> None:
        self._fast_path = fast_path
        self._workers = workers
        self._line = f"POST {fast_path.path} HTTP/1.1".encode()
        self._key = f"Bearer {api_key}".encode()
        self._arrived: list[FastPathProtocol] = []

    def parse(self, data: bytes) -> bytes | None:
        """Return the body of a short request; None for other data or if the engine is busy."""
        if self._workers.busy or not data.startswith(self._line):
            return None
        head, _, body = data.partition(b"\r\n\r\n")
        line, *lines = head.split(b"\r\n")
        headers = {name: value for name, _, value in (each.partition(b": ") for each in lines)}
        if (
            line == self._line
            and len(lines) == len(headers)
            and headers.keys() == _HEADERS
            and headers[b"content-length"] == b"%d" % len(body)
            and len(body) <= self._fast_path.max_bytes
            and hmac.compare_digest(headers[b"authorization"], self._key)
        ):
            return body
        return None

    def enqueue(self, connection: "FastPathProtocol") -> None:
        """Register a short request; its connection proceeds at the end of the iteration."""
        if not self._arrived:
            connection.loop.call_soon(self._dispatch)
        self._arrived.append(connection)

    def _dispatch(self) -> None:
        arrived, self._arrived = self._arrived, []
        alone = len(arrived) == 1 and not self._workers.busy
        for connection in arrived:
            connection.proceed(alone=alone)

    def warm_up(self) -> None:
        """Run the example on the event loop's thread, where no warm-up request of the fleet runs.

        A thread has its own heap: the first run on it allocates memory for all later ones.
        """
        with suppress(ApiError):  # the model may not take a text as long
            for _ in range(_WARM_UPS):
                self.respond(self._fast_path.example)

    def respond(self, body: bytes) -> bytes:
        """Compute the whole HTTP response. Raises ApiError."""
        content = self._workers.run_inline(lambda job: self._fast_path.answer(job, body))
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "
        return b"%b%d\r\n\r\n%b" % (head, len(content), content)


class FastPathProtocol(BufferingProtocol):
    """uvicorn's HTTP protocol, preceded by the fast path."""

    def __init__(self, dispatcher: FastPathDispatcher, **options: Any) -> None:
        super().__init__(**options)
        self._dispatcher = dispatcher
        #: The short request received in this iteration, and its body.
        self._pending: tuple[bytes, bytes] | None = None
        #: Whether uvicorn has received part of a request.
        self._mid_request = False

    def data_received(self, data: bytes) -> None:
        """Receive bytes, usually a whole request."""
        if self._pending:
            self.proceed(alone=False)  # uvicorn keeps pipelined requests in order
        elif self._idle and (body := self._dispatcher.parse(data)) is not None:
            self._pending = data, body
            self._dispatcher.enqueue(self)
            return
        super().data_received(data)

    def proceed(self, *, alone: bool) -> None:
        """Answer the pending request: inline if `alone`, otherwise through uvicorn."""
        pending, self._pending = self._pending, None
        if pending is None or self.transport.is_closing():
            return
        response = None
        try:
            if alone:
                with suppress(ApiError):
                    response = self._dispatcher.respond(pending[1])
        finally:
            if response is None:
                super().data_received(pending[0])
        if response is not None:
            self._unset_keepalive_if_required()
            self.buffered.write(response)
            self.buffered.flush()

    @property
    def _idle(self) -> bool:
        """Whether uvicorn has answered everything it received."""
        return not self._mid_request and (self.cycle is None or self.cycle.response_complete)

    def on_message_begin(self) -> None:
        """Handle the first byte of a request; called by the parser."""
        self._mid_request = True
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """Handle the end of a request; called by the parser."""
        self._mid_request = False
        super().on_message_complete()
