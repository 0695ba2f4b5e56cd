"""A short request that comes alone is answered in the same turn, past server and framework.

A short text is computed in one and a half milliseconds, which empty the caches: whatever code runs
next costs several times its worth. uvicorn, Starlette and a thread took a tenth of such a call. So
the few lines that a gateway sends are read here; whatever else comes goes the common way, and so
does what fails, as that way has the words for it.
"""

import hmac
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from oxlo.errors import ApiError
from oxlo.serving.gathering import GatheringProtocol
from oxlo.serving.work import Job, Workers

#: What a gateway says beside its key; who says more may mean more.
_FIELDS = {b"host", b"authorization", b"content-type", b"content-length"}


@dataclass(frozen=True)
class Brief:
    """What is answered like that: it keeps the loop for as long as it takes."""

    #: Where it is posted to, and the most bytes of it.
    path: str
    most: int
    #: The reply in JSON. Raises ApiError.
    answer: Callable[[Job, bytes], bytes]


class Desk:
    """Where the short requests of a turn are looked at together."""

    def __init__(self, brief: Brief, workers: Workers, api_key: str) -> None:
        self._brief = brief
        self._workers = workers
        self._line = f"POST {brief.path} HTTP/1.1".encode()
        self._key = f"Bearer {api_key}".encode()
        self._here: list[BriefProtocol] = []

    def read(self, data: bytes) -> bytes | None:
        """The body of the short request that `data` is; None for anything else, or beside work."""
        if self._workers.busy or not data.startswith(self._line):
            return None
        head, _, body = data.partition(b"\r\n\r\n")
        line, *lines = head.split(b"\r\n")
        told = {name: value for name, _, value in (each.partition(b": ") for each in lines)}
        if (
            line == self._line
            and len(lines) == len(told)
            and told.keys() == _FIELDS
            and told[b"content-length"] == b"%d" % len(body)
            and len(body) <= self._brief.most
            and hmac.compare_digest(told[b"authorization"], self._key)
        ):
            return body
        return None

    def take(self, connection: "BriefProtocol") -> None:
        """It has a short request, and will be told whether that is the only call there is."""
        if not self._here:
            connection.loop.call_soon(self._look)
        self._here.append(connection)

    def _look(self) -> None:
        here, self._here = self._here, []
        alone = len(here) == 1 and not self._workers.busy
        for connection in here:
            connection.go_on(alone=alone)

    def reply(self, body: bytes) -> bytes:
        """The reply, head and all. Raises ApiError."""
        told = self._workers.at_once(lambda job: self._brief.answer(job, body))
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "
        return b"%b%d\r\n\r\n%b" % (head, len(told), told)


class BriefProtocol(GatheringProtocol):
    """uvicorn's side of a connection, with such a desk before it."""

    def __init__(self, desk: Desk, **given: Any) -> None:
        super().__init__(**given)
        self._desk = desk
        #: A short request as it came, and its body, from when it came until the turn's end.
        self._held: tuple[bytes, bytes] | None = None
        #: Whether uvicorn has a part of a request.
        self._within = False

    def data_received(self, data: bytes) -> None:
        """Some bytes of a request, mostly all of it."""
        if self._held:
            self.go_on(alone=False)  # uvicorn keeps the order of requests that do not wait
        elif self._between and (body := self._desk.read(data)) is not None:
            self._held = data, body
            self._desk.take(self)
            return
        super().data_received(data)

    def go_on(self, *, alone: bool) -> None:
        """Answer what is held, at once if it is `alone`."""
        held, self._held = self._held, None
        if held is None or self.transport.is_closing():
            return
        reply = None
        try:
            if alone:
                with suppress(ApiError):
                    reply = self._desk.reply(held[1])
        finally:
            if reply is None:
                super().data_received(held[0])
        if reply is not None:
            self._unset_keepalive_if_required()
            self.gathering.write(reply)
            self.gathering.flush()

    @property
    def _between(self) -> bool:
        """Whether uvicorn has read and answered all that it was given."""
        return not self._within and (self.cycle is None or self.cycle.response_complete)

    def on_message_begin(self) -> None:
        """The parser calls this at the first byte of a request."""
        self._within = True
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """The parser calls this after the last one."""
        self._within = False
        super().on_message_complete()
