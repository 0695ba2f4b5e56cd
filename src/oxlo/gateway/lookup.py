"""A gateway's requests to control, over control's private socket."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import msgspec

from oxlo.errors import ApiError, LimitsUnavailable, Overloaded
from oxlo.gateway.collect import Collect
from oxlo.gateway.upstream import Upstream
from oxlo.ledger.counted import Counted
from oxlo.plans.caller import Caller


class _Changes(msgspec.Struct):
    counter: int


class Lookup:
    """Looks up keys, changes and counts."""

    def __init__(self, socket: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._upstream = Upstream(f"unix:{socket}", loop)

    def key(self, digest: str, answer: Callable[[Caller | ApiError | None], None]) -> None:
        """Look up a key's owner: a Caller, None if the key is invalid, or an error."""

        def done(status: int, body: bytes) -> None:
            answer(_caller(status, body))

        target = f"/keys/{quote(digest)}".encode()
        self._upstream.request(b"GET", target, b"", b"", Collect(done))

    def changes(self, answer: Callable[[int | None], None]) -> None:
        """The counter of changes to accounts and keys; None if control is unreachable."""

        def done(status: int, body: bytes) -> None:
            answer(msgspec.json.decode(body, type=_Changes).counter if status == 200 else None)

        self._upstream.request(b"GET", b"/changes", b"", b"", Collect(done))

    def counted(
        self, account: str, day: int, minute: int, answer: Callable[[Counted | ApiError], None]
    ) -> None:
        """An account's usage of a day and a minute according to its receipts, or an error."""

        def done(status: int, body: bytes) -> None:
            if status == 200:
                answer(msgspec.json.decode(body, type=Counted))
            else:
                answer(LimitsUnavailable(retry_after=2))

        target = f"/counted/{quote(account)}?day={day}&minute={minute}".encode()
        self._upstream.request(b"GET", target, b"", b"", Collect(done))


def _caller(status: int, body: bytes) -> Caller | ApiError | None:
    if status == 404:
        return None
    if status == 200:
        with contextlib.suppress(msgspec.DecodeError):  # control may run another version
            return msgspec.json.decode(body, type=Caller)
    return Overloaded("Keys cannot be checked right now. Try again shortly.", retry_after=2)
