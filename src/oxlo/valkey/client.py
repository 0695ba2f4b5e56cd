"""One persistent connection to Valkey per process.

CONNECTING ── authenticated, scripts loaded, subscribed ──> CONNECTED
    ^                                                           │
    └── backoff <── refused, lost, or timed out ────────────────┘
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Any, Final, cast

import hiredis
import structlog
from hiredis import ReplyError

from oxlo.valkey.address import Address
from oxlo.valkey.script import Script, command
from oxlo.valkey.wire import REPLICA, Lost, Message, Replied, Wire, words_of

__all__ = ["Client", "Lost", "ReplyError"]

log = structlog.get_logger()

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 2.0
#: A replica's role, as Redis and as Valkey call it.
_REPLICAS: Final = (b"slave", b"replica")
#: How long a starting process waits for Valkey, seconds.
_PATIENCE: Final = 5.0


class Client:
    """Sends commands, and reconnects."""

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
        """Start connecting.

        `message` gets (channel, text) of subscriptions; `changed` gets whether commands can be sent
        now; `timeout` for replies is in seconds.
        """
        self.address = address
        self._loop = loop
        self._scripts = tuple(scripts)
        self._channels = tuple(channel.encode() for channel in channels)
        self._message = message
        self._changed = changed
        self._timeout = timeout
        self._wire: Wire | None = None
        #: Whether commands can be sent, and if not, why.
        self.connected = False
        self.why = "it takes too long"
        self._up = asyncio.Event()
        #: Sends a command (from `script.command` or `Script.call`); the callback, its second
        #: argument, is called once, with the reply, or with Lost if there is no connection. While
        #: connected it is the connection's own bound method, because it is on the hot path.
        self.send: Callable[[bytes, Replied], None] = self._unsent
        self._keeping = loop.create_task(self._keep())

    def _unsent(self, words: bytes, replied: Replied) -> None:
        self._loop.call_soon(replied, Lost())

    async def ask(self, *words: bytes) -> Any:
        """Send a command and wait for its reply. Raises Lost or hiredis.ReplyError."""
        future: asyncio.Future[Any] = self._loop.create_future()
        self.send(command(*words), _into(future))
        return await future

    async def close(self) -> None:
        """Flush pending commands, and disconnect."""
        self._keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._keeping
        wire, self._wire = self._wire, None
        self.connected = False
        self.send = self._unsent
        if wire is not None:
            wire.flush()
            wire.close()

    async def _keep(self) -> None:
        """Connect, and reconnect with backoff."""
        pause, told = _FIRST_PAUSE, ""
        while True:
            try:
                wire = await self._dial()
            except (OSError, TimeoutError, Lost, hiredis.HiredisError) as error:
                self.why = why = words_of(error)
                if why != told:  # log each reason once
                    told = why
                    log.warning("valkey.unreachable", address=str(self.address), error=why)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
                continue
            pause, told = _FIRST_PAUSE, ""
            self._tell(connected=True)
            log.info("valkey.connected", address=str(self.address))
            await wire.ended.wait()
            self._wire = None
            self._tell(connected=False)
            log.warning("valkey.lost", address=str(self.address), error=wire.why)

    async def up(self, seconds: float = _PATIENCE) -> bool:
        """Wait until commands can be sent; returns False after the timeout."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._up.wait()
        return self.connected

    def _tell(self, *, connected: bool) -> None:
        self.connected = connected
        self.send = self._unsent if self._wire is None else self._wire.send
        if connected:
            self._up.set()
        if self._changed is not None:
            self._changed(connected)

    async def _dial(self) -> Wire:
        wire = Wire(self._loop, self._timeout, self._scripts, self._message)

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

    async def _greet(self, wire: Wire) -> None:
        """Authenticate, select the database, load the scripts, subscribe.

        Raises Lost or hiredis.ReplyError, also for a replica, to which nothing can be written.
        """
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
            replies.append(self._loop.create_future())
            wire.subscribe(self._channels, _into(replies[-1]))
        for reply in await asyncio.gather(*replies, return_exceptions=True):
            if isinstance(reply, BaseException):
                raise reply
        if replies[0].result().get(b"role") in _REPLICAS:
            raise ReplyError(REPLICA)


def _into(future: "asyncio.Future[Any]") -> Replied:
    def replied(got: Any) -> None:
        if future.done():
            return
        if isinstance(got, Exception):
            future.set_exception(got)
        else:
            future.set_result(got)

    return replied
