"""One connection to Valkey: RESP3, parsed by hiredis.

The commands of one event loop iteration are written together. Replies arrive in the order of the
commands; published messages arrive on the same connection.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import hiredis
import structlog

from oxlo.valkey.script import Script, command, unheard

log = structlog.get_logger()

_MORE: Final = object()
#: Why a server that cannot be written to is left.
REPLICA: Final = "it is a read-only replica"

#: Callback for a reply: a value, a hiredis.ReplyError, or Lost.
Replied = Callable[[Any], None]
Message = Callable[[bytes, bytes], None]


class Lost(Exception):
    """The connection broke before the reply; whether the command was executed is unknown."""


class Wire:
    """One connection: an `asyncio.Protocol` by duck typing, so that mypyc can compile it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        timeout: float,
        scripts: tuple[Script, ...],
        message: Message | None,
    ) -> None:
        self._loop = loop
        self._timeout = timeout
        self._scripts = scripts
        self._message = message
        self._transport: asyncio.Transport | None = None
        self._reader = hiredis.Reader(notEnoughData=_MORE)
        self._out: list[bytes] = []
        #: (command, callback, time sent) of commands without a reply.
        self._pending: deque[tuple[bytes, Replied, float]] = deque()
        #: Number of channels of the subscription, which Valkey confirms one by one.
        self._channels = 0
        self._timer: asyncio.TimerHandle | None = None
        self._now = 0.0
        self.ended = asyncio.Event()
        self.why = ""

    def send(self, words: bytes, replied: Replied) -> None:
        """Send a command in this event loop iteration."""
        if self.ended.is_set():
            self._loop.call_soon(replied, Lost())
            return
        self.push(words)
        self._pending.append((words, replied, self._now))

    def subscribe(self, channels: tuple[bytes, ...], replied: Replied) -> None:
        """Subscribe, once per connection; `replied` gets the last confirmation, or the error."""
        self._channels = len(channels)
        self.send(command(b"SUBSCRIBE", *channels), replied)

    def push(self, words: bytes) -> None:
        """Queue a command for the next flush."""
        if not self._out:
            self._now = self._loop.time()
            self._loop.call_soon(self.flush)
        self._out.append(words)

    def flush(self) -> None:
        """Write all pending commands."""
        out, self._out = self._out, []
        if not out or self._transport is None:
            return
        self._transport.write(out[0] if len(out) == 1 else b"".join(out))
        if self._timer is None:
            self._timer = self._loop.call_later(self._timeout, self._check)

    def _check(self) -> None:
        """Disconnect if a reply has timed out."""
        self._timer = None
        if not self._pending:
            return
        left = self._pending[0][2] + self._timeout - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._check)
        else:
            self._end(f"no reply within {self._timeout:g} s")

    def close(self) -> None:
        """Disconnect."""
        self._end("closed")

    def _end(self, why: str) -> None:
        if self.ended.is_set():
            return
        self.why = why
        self.ended.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.close() if why == "closed" else self._transport.abort()
        pending, self._pending = self._pending, deque()
        for _, replied, _ in pending:
            _deliver(replied, Lost())

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Connected."""
        self._transport = transport
        self.flush()

    def data_received(self, data: bytes) -> None:
        """Parse replies and messages."""
        self._reader.feed(data)
        try:
            while (got := self._reader.gets()) is not _MORE:
                self._got(got)
        except hiredis.ProtocolError as error:
            self._end(str(error))

    def eof_received(self) -> None:
        """The server has disconnected."""

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is lost."""
        self._end(words_of(error) if error else "the server closed the connection")

    def pause_writing(self) -> None:
        """Ignored: a server that does not read runs into the timeout."""

    def resume_writing(self) -> None:
        """Ignored."""

    def _got(self, got: Any) -> None:
        if type(got) is list or type(got) is int:  # the common case: a script's reply
            _deliver(self._pending.popleft()[1], got)
            return
        if isinstance(got, hiredis.PushNotification):
            self._got_push(got)
            return
        words, replied, _ = self._pending.popleft()
        code = str(got).partition(" ")[0] if isinstance(got, hiredis.ReplyError) else ""
        if code == "NOSCRIPT" and words:
            self._load_and_repeat(words, replied)
            return
        _deliver(replied, got)
        if code == "READONLY":  # after a failover, the address may lead to the new primary
            self._end(REPLICA)

    def _got_push(self, got: Any) -> None:
        if got[0] == b"message":
            if self._message is not None:
                _deliver(partial(self._message, got[1]), got[2])
        elif got[0] == b"subscribe" and got[2] == self._channels:
            _deliver(self._pending.popleft()[1], got)

    def _load_and_repeat(self, words: bytes, replied: Replied) -> None:
        """Load the scripts again, which the server has lost, and repeat the command."""
        for script in self._scripts:
            self.send(command(b"SCRIPT", b"LOAD", script.source), unheard)
        self.push(words)
        self._pending.append((b"", replied, self._now))  # b"": do not repeat it again


def _deliver(replied: Replied, got: Any) -> None:
    """Call a callback, whose unexpected error must not cost others the connection or a reply."""
    try:
        replied(got)
    except Exception:
        log.exception("valkey.callback_failed")


def words_of(error: BaseException) -> str:
    """The message of an error, or its class name."""
    return str(error) or type(error).__name__
