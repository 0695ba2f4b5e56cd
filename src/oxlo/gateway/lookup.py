"""A gateway's requests to control, over control's private socket."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from oxlo.errors import ApiError, LimitsUnavailable, Overloaded
from oxlo.gateway.timed import TimedRequest
from oxlo.gateway.upstream import Upstream
from oxlo.ledger.counted import Counted
from oxlo.plans.caller import Caller, Changes

#: Timeouts of look-ups, and of counts, for which control first drains the journals; seconds.
SECONDS: Final = 10.0
COUNT_SECONDS: Final = 60.0


class Lookup:
    """Looks up keys, changes and counts. A control that hangs is like one that is unreachable."""

    def __init__(
        self, socket: Path, loop: asyncio.AbstractEventLoop, seconds: float = SECONDS
    ) -> None:
        """`seconds` is the timeout of look-ups."""
        self._upstream = Upstream(f"unix:{socket}", loop)
        self._seconds = seconds

    def key(self, digest: str, answer: Callable[[Caller | ApiError | None], None]) -> None:
        """Look up a key's owner: a Caller, None if the key is invalid, or an error."""

        def done(status: int, body: bytes) -> None:
            answer(_caller(status, body))

        self._get(f"/keys/{quote(digest)}", self._seconds, done)

    def changes(self, since: int, answer: Callable[[Changes | None], None]) -> None:
        """The changes to accounts and keys after number `since`; None if control is unreachable."""

        def done(status: int, body: bytes) -> None:
            answer(msgspec.json.decode(body, type=Changes) if status == 200 else None)

        self._get(f"/changes?since={since}", self._seconds, done)

    def counted(
        self, account: str, day: int, minute: int, answer: Callable[[Counted | ApiError], None]
    ) -> None:
        """An account's usage of a day and a minute according to its receipts, or an error."""

        def done(status: int, body: bytes) -> None:
            if status == 200:
                answer(msgspec.json.decode(body, type=Counted))
            else:
                answer(LimitsUnavailable(retry_after=2))

        self._get(f"/counted/{quote(account)}?day={day}&minute={minute}", COUNT_SECONDS, done)

    def _get(self, target: str, seconds: float, done: Callable[[int, bytes], None]) -> None:
        TimedRequest(self._upstream, seconds, done).send(b"GET", target.encode())


def _caller(status: int, body: bytes) -> Caller | ApiError | None:
    if status == 404:
        return None
    if status == 200:
        with contextlib.suppress(msgspec.DecodeError):  # control may run another version
            return msgspec.json.decode(body, type=Caller)
    return Overloaded("Keys cannot be checked right now. Try again shortly.", retry_after=2)
