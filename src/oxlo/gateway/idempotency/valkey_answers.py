"""Responses stored in Valkey for the gateways of all hosts; claims are leases.

A claim ends with its response, or when its gateway stops renewing it. Responses produced while
Valkey is unreachable are buffered here. Calls with a key are refused during an outage: it is
unknown whether they were made before, and they must never be made twice.
"""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from oxlo.errors import LimitsUnavailable
from oxlo.gateway.idempotency.answers import Kept, OnClaim, Running
from oxlo.valkey.address import Address
from oxlo.valkey.client import Client, Lost, ReplyError
from oxlo.valkey.script import Script, unheard

log = structlog.get_logger()

_KEY: Final = b"oxlo:{answers}"
#: Maximum bytes of responses buffered during an outage.
_MOST_WAITING: Final = 64 << 20
_FOLDER: Final = Path(__file__).with_name("lua")


def _script(name: str) -> Script:
    return Script((_FOLDER / "answers.lua").read_bytes() + (_FOLDER / f"{name}.lua").read_bytes())


CLAIM: Final = _script("claim")
KEEP: Final = _script("keep")
RELEASE: Final = _script("release")
HOLD: Final = _script("hold")


class Keeping:
    """A response being stored."""

    __slots__ = ("done", "kept", "payload")

    def __init__(self, kept: Kept, payload: bytes, done: Callable[[], None]) -> None:
        self.kept = kept
        self.payload = payload
        self.done = done


class ValkeyAnswers:
    """Responses in Valkey, on a separate connection, so that limits do not wait for megabytes."""

    def __init__(
        self,
        address: Address,
        loop: asyncio.AbstractEventLoop,
        gateway: str,
        *,
        hours: int,
        mb: int,
        lease_seconds: float = 30.0,
        timeout: float = 5.0,
    ) -> None:
        """Start connecting; `gateway` is a name that no other gateway uses.

        Keep responses for `hours`, and at most `mb` megabytes (2^20 bytes) across all gateways.
        """
        self._loop = loop
        self._gateway = gateway.encode()
        self._keep_ms = b"%d" % (hours * 3_600_000)
        self._most = b"%d" % (mb << 20)
        self._lease_seconds = lease_seconds
        self._lease_ms = b"%d" % int(lease_seconds * 1000)
        #: Fingerprints of the calls made here, by name.
        self._claims: dict[str, str] = {}
        self._waiting: dict[str, Keeping] = {}
        self._held_at = 0.0
        self.client = Client(
            address,
            loop,
            scripts=(CLAIM, KEEP, RELEASE, HOLD),
            changed=self._changed,
            timeout=timeout,
        )

    def claim(self, name: str, fingerprint: str, then: OnClaim) -> None:
        """Claim a key; `then` is called once, later."""

        def replied(reply: Any) -> None:
            if not isinstance(reply, list):
                if isinstance(reply, ReplyError):
                    log.warning("idempotency.no_claim", error=str(reply))
                then(LimitsUnavailable(_UNKNOWN, retry_after=2))
            elif reply[0] == b"yours":
                self._claims[name] = fingerprint
                then(None)
            elif reply[0] == b"running":
                then(Running(reply[1].decode()))
            else:
                then(_decoded(reply[1]))

        arguments = (self._gateway, name.encode(), fingerprint.encode(), self._lease_ms)
        self.client.send(CLAIM.call(_KEY, *arguments), replied)

    def keep(self, name: str, kept: Kept, done: Callable[[], None]) -> None:
        """Store the response and end the claim; `done` is called whether or not that succeeded."""
        answer = msgspec.msgpack.encode(kept)
        arguments = (self._gateway, name.encode(), answer, self._keep_ms, self._most)
        self._waiting[name] = Keeping(kept, KEEP.call(_KEY, *arguments), done)
        self._send(name)
        self._limit_waiting()

    def _send(self, name: str) -> None:
        keeping = self._waiting[name]

        def replied(reply: Any) -> None:
            if self._waiting.get(name) is not keeping:
                return
            if isinstance(reply, ReplyError):
                self._give_up(name, str(reply))
            elif isinstance(reply, list):
                self._end(name)

        if self.client.connected:
            self.client.send(keeping.payload, replied)

    def _end(self, name: str) -> None:
        self._claims.pop(name, None)
        self._waiting.pop(name).done()

    def _give_up(self, name: str, why: str) -> None:
        request = self._waiting[name].kept.request_id
        log.warning("idempotency.not_kept", request_id=request, error=why)
        self._end(name)
        self._release(name)

    def _limit_waiting(self) -> None:
        """Drop the oldest buffered responses if there are too many."""
        size = sum(len(keeping.payload) for keeping in self._waiting.values())
        while size > _MOST_WAITING:
            oldest = next(iter(self._waiting))
            size -= len(self._waiting[oldest].payload)
            self._give_up(oldest, "too many answers wait for Valkey")

    def release(self, name: str) -> None:
        """End a claim without a response."""
        if self._claims.pop(name, None) is not None:
            self._release(name)

    def _release(self, name: str) -> None:
        if self.client.connected:  # otherwise it ends with its lease
            self.client.send(RELEASE.call(_KEY, self._gateway, name.encode()), unheard)

    def tick(self, now: float) -> None:
        """Renew claims; called periodically."""
        if self._claims and not 0 <= now - self._held_at < self._lease_seconds / 3:
            self._held_at = now
            self._hold()

    def _hold(self) -> None:
        if self._claims and self.client.connected:
            arguments = [each.encode() for pair in self._claims.items() for each in pair]
            self.client.send(HOLD.call(_KEY, self._gateway, self._lease_ms, *arguments), unheard)

    def _changed(self, connected: bool) -> None:
        if connected:
            self._hold()
            for name in list(self._waiting):
                self._send(name)

    async def open(self) -> None:
        """Wait briefly for Valkey, so that a gateway that has just started refuses no calls."""
        await self.client.up()

    async def close(self) -> None:
        """Wait for pending writes, then disconnect."""
        if self.client.connected:
            with contextlib.suppress(Lost, ReplyError):
                await self.client.ask(
                    b"PING"
                )  # replies arrive in order, so this follows all earlier ones
        for keeping in self._waiting.values():
            request = keeping.kept.request_id
            log.warning("idempotency.not_kept", request_id=request, error="the gateway stopped")
        await self.client.close()


_UNKNOWN: Final = (
    "Whether a call with this Idempotency-Key was made before cannot be known right now, so it was "
    "not made. Try again shortly."
)


def _decoded(answer: bytes) -> Kept | None:
    """The stored response; None if another version of Oxlo wrote it."""
    try:
        return msgspec.msgpack.decode(answer, type=Kept)
    except msgspec.DecodeError:
        return None
