"""One connection to Valkey for a whole process: RESP3 on hiredis' parser.

Commands of one turn of the event loop are written together. Replies come in the order of the
commands; messages of channels come on the same connection, so being connected means both.

    CONNECTING ── signed in, scripts loaded, subscribed ──> CONNECTED
        ^                                                       │
        └── back-off <── refused, lost, or no reply in time ────┘
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, cast

import hiredis
import structlog

from oxlo.valkey.address import Address
from oxlo.valkey.script import Script, command

log = structlog.get_logger()

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 2.0
_MORE: Final = object()

#: What is called with a reply: a value, a hiredis.ReplyError, or Lost.
Replied = Callable[[Any], None]
Message = Callable[[bytes, bytes], None]


class Lost(Exception):
    """No reply will come: the connection broke. Whether the command was carried out is unknown."""


class Client:
    """Sends commands, and keeps the connection up."""

    def __init__(
        self,
        address: Address,
        loop: asyncio.AbstractEventLoop,
        *,
        scripts: Iterable[Script] = (),
        channels: Iterable[str] = (),
        message: Message | None = None,
        changed: Callable[[bool], None] | None = None,
        timeout: float = 1.0,
    ) -> None:
        """Begin to connect.

        `message` is called with channel and text, `changed` with whether commands can be sent now;
        a reply is waited for for `timeout` seconds.
        """
        self.address = address
        self._loop = loop
        self._scripts = tuple(scripts)
        self._channels = tuple(channel.encode() for channel in channels)
        self._message = message
        self._changed = changed
        self._timeout = timeout
        self._wire: _Wire | None = None
        #: Whether commands can be sent.
        self.connected = False
        self._keeping = loop.create_task(self._keep())

    def send(self, words: bytes, replied: Replied) -> None:
        """Send a command, written by `script.command` or `Script.call`.

        `replied` is called later, once. Without a connection it is called with Lost.
        """
        wire = self._wire
        if wire is None or not self.connected:
            self._loop.call_soon(replied, Lost())
        else:
            wire.send(words, replied)

    async def ask(self, *words: bytes) -> Any:
        """A command's reply. Raises Lost or hiredis.ReplyError."""
        future: asyncio.Future[Any] = self._loop.create_future()
        self.send(command(*words), _into(future))
        return await future

    async def close(self) -> None:
        """Send what is pending, and hang up."""
        self._keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._keeping
        wire, self._wire = self._wire, None
        self.connected = False
        if wire is not None:
            wire.flush()
            wire.close()

    async def _keep(self) -> None:
        """Connect again and again."""
        pause, told = _FIRST_PAUSE, ""
        while True:
            try:
                wire = await self._dial()
            except (OSError, TimeoutError, Lost, hiredis.HiredisError) as error:
                if (why := _words(error)) != told:  # each reason once
                    told = why
                    log.warning("valkey_unreachable", address=str(self.address), error=why)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
                continue
            pause, told = _FIRST_PAUSE, ""
            self._tell(connected=True)
            log.info("valkey_connected", address=str(self.address))
            await wire.ended.wait()
            self._wire = None
            self._tell(connected=False)
            log.warning("valkey_lost", address=str(self.address), error=wire.why)

    def _tell(self, *, connected: bool) -> None:
        self.connected = connected
        if self._changed is not None:
            self._changed(connected)

    async def _dial(self) -> "_Wire":
        wire = _Wire(self._loop, self._timeout, self._scripts, self._message)

        def factory() -> asyncio.Protocol:
            return cast(asyncio.Protocol, wire)

        address = self.address
        try:
            async with asyncio.timeout(max(1.0, self._timeout)):
                if address.socket:
                    await self._loop.create_unix_connection(factory, address.socket)
                else:
                    await self._loop.create_connection(
                        factory, address.host, address.port, ssl=address.ssl()
                    )
                await self._greet(wire)
            self._wire = wire
        finally:
            if self._wire is not wire:
                wire.close()
        return wire

    async def _greet(self, wire: "_Wire") -> None:
        """Sign in, choose the database, load the scripts, subscribe."""
        address = self.address
        hello = [b"HELLO", b"3"]
        if address.password:
            hello += [b"AUTH", (address.username or "default").encode(), address.password.encode()]
        commands = [hello]
        if address.database:
            commands.append([b"SELECT", b"%d" % address.database])
        commands += [[b"SCRIPT", b"LOAD", script.source] for script in self._scripts]
        replies = [self._loop.create_future() for _ in commands]
        for words, future in zip(commands, replies, strict=True):
            wire.send(command(*words), _into(future))
        if self._channels:
            wire.push(command(b"SUBSCRIBE", *self._channels))
        for reply in await asyncio.gather(*replies, return_exceptions=True):
            if isinstance(reply, BaseException):
                raise reply


class _Wire:
    """One connection: an `asyncio.Protocol` in all but ancestry, so that it compiles."""

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
        #: Command, who waits for its reply, and when it was sent.
        self._pending: deque[tuple[bytes, Replied, float]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._now = 0.0
        self.ended = asyncio.Event()
        self.why = ""

    # Out.

    def send(self, words: bytes, replied: Replied) -> None:
        """Write it in this turn of the loop."""
        if self.ended.is_set():
            self._loop.call_soon(replied, Lost())
            return
        self.push(words)
        self._pending.append((words, replied, self._now))

    def push(self, words: bytes) -> None:
        """Write what is answered by messages alone."""
        if not self._out:
            self._now = self._loop.time()
            self._loop.call_soon(self.flush)
        self._out.append(words)

    def flush(self) -> None:
        """Write what is pending."""
        out, self._out = self._out, []
        if not out or self._transport is None:
            return
        self._transport.write(out[0] if len(out) == 1 else b"".join(out))
        if self._timer is None:
            self._timer = self._loop.call_later(self._timeout, self._check)

    def _check(self) -> None:
        """Give up a server that answers too late: what it would say is of no use any more."""
        self._timer = None
        if not self._pending:
            return
        left = self._pending[0][2] + self._timeout - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._check)
        else:
            self._end(f"no reply within {self._timeout:g} s")

    def close(self) -> None:
        """Hang up."""
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
            replied(Lost())

    # In: `asyncio.Protocol`.

    def connection_made(self, transport: asyncio.Transport) -> None:
        """The connection stands."""
        self._transport = transport
        self.flush()

    def data_received(self, data: bytes) -> None:
        """Replies and messages."""
        self._reader.feed(data)
        try:
            while (got := self._reader.gets()) is not _MORE:
                self._got(got)
        except hiredis.ProtocolError as error:
            self._end(str(error))

    def eof_received(self) -> None:
        """The server hangs up."""

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self._end(_words(error) if error else "the server closed the connection")

    def pause_writing(self) -> None:
        """The server reads slowly: time-outs end that."""

    def resume_writing(self) -> None:
        """It has caught up."""

    def _got(self, got: Any) -> None:
        if isinstance(got, hiredis.PushNotification):
            if got[0] == b"message" and self._message is not None:
                self._message(got[1], got[2])
            return
        words, replied, _ = self._pending.popleft()
        if isinstance(got, hiredis.ReplyError) and str(got).startswith("NOSCRIPT") and words:
            self._load_and_repeat(words, replied)
        else:
            replied(got)

    def _load_and_repeat(self, words: bytes, replied: Replied) -> None:
        """The server forgot the scripts: it is told them again, then the command."""
        for script in self._scripts:
            self.send(command(b"SCRIPT", b"LOAD", script.source), _ignore)
        self.push(words)
        self._pending.append((b"", replied, self._now))  # not repeated a second time


def _into(future: "asyncio.Future[Any]") -> Replied:
    def replied(got: Any) -> None:
        if future.done():
            return
        if isinstance(got, Exception):
            future.set_exception(got)
        else:
            future.set_result(got)

    return replied


def _ignore(got: Any) -> None:
    """Nobody waits for this reply."""


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
