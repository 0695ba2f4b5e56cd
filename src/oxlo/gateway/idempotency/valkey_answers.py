"""Answers that gateways of all hosts keep together, in Valkey; claims are leases.

A claim ends with its answer, or when its gateway renews it no more. An answer that was made while
Valkey was away waits here until it can be kept. While Valkey cannot be asked nobody knows whether
a call was made before, so calls with a key are refused: they are never made twice.
"""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from oxlo.errors import LimitsUnavailable
from oxlo.gateway.idempotency.answers import Kept, Running, Told
from oxlo.valkey.address import Address
from oxlo.valkey.client import Client, Lost, ReplyError
from oxlo.valkey.script import Script, unheard

log = structlog.get_logger()

_KEY: Final = b"oxlo:{answers}"
#: Bytes of answers that wait for Valkey to come back.
_MOST_WAITING: Final = 64 << 20
_FOLDER: Final = Path(__file__).with_name("lua")


def _script(name: str) -> Script:
    return Script((_FOLDER / "answers.lua").read_bytes() + (_FOLDER / f"{name}.lua").read_bytes())


CLAIM: Final = _script("claim")
KEEP: Final = _script("keep")
RELEASE: Final = _script("release")
HOLD: Final = _script("hold")


class Keeping:
    """An answer on its way."""

    __slots__ = ("done", "kept", "words")

    def __init__(self, kept: Kept, words: bytes, done: Callable[[], None]) -> None:
        self.kept = kept
        self.words = words
        self.done = done


class ValkeyAnswers:
    """Answers in Valkey, on a connection of their own: limits do not wait behind megabytes."""

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
        """Begin to connect; `gateway` is a name that no other gateway has.

        Keep answers for `hours`, and no more than `mb` megabytes (2^20 bytes) of all gateways'.
        """
        self._loop = loop
        self._gateway = gateway.encode()
        self._keep_ms = b"%d" % (hours * 3_600_000)
        self._most = b"%d" % (mb << 20)
        self._lease_seconds = lease_seconds
        self._lease_ms = b"%d" % int(lease_seconds * 1000)
        #: What is made here: fingerprints by name.
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

    def claim(self, name: str, fingerprint: str, told: Told) -> None:
        """Ask for a key; `told` is called once, later."""

        def replied(said: Any) -> None:
            if not isinstance(said, list):
                if isinstance(said, ReplyError):
                    log.warning("idempotency.no_claim", error=str(said))
                told(LimitsUnavailable(_UNKNOWN, retry_after=2))
            elif said[0] == b"yours":
                self._claims[name] = fingerprint
                told(None)
            elif said[0] == b"running":
                told(Running(said[1].decode()))
            else:
                told(_decoded(said[1]))

        words = (self._gateway, name.encode(), fingerprint.encode(), self._lease_ms)
        self.client.send(CLAIM.call(_KEY, *words), replied)

    def keep(self, name: str, kept: Kept, done: Callable[[], None]) -> None:
        """Keep the answer and end the claim; `done` is called whether or not that worked."""
        answer = msgspec.msgpack.encode(kept)
        words = (self._gateway, name.encode(), answer, self._keep_ms, self._most)
        self._waiting[name] = Keeping(kept, KEEP.call(_KEY, *words), done)
        self._send(name)
        self._limit_waiting()

    def _send(self, name: str) -> None:
        keeping = self._waiting[name]

        def replied(said: Any) -> None:
            if self._waiting.get(name) is not keeping:
                return
            if isinstance(said, ReplyError):
                self._give_up(name, str(said))
            elif isinstance(said, list):
                self._end(name)

        if self.client.connected:
            self.client.send(keeping.words, replied)

    def _end(self, name: str) -> None:
        self._claims.pop(name, None)
        self._waiting.pop(name).done()

    def _give_up(self, name: str, why: str) -> None:
        request = self._waiting[name].kept.request_id
        log.warning("idempotency.not_kept", request_id=request, error=why)
        self._end(name)
        self._release(name)

    def _limit_waiting(self) -> None:
        """Drop the oldest answers when too many wait for Valkey."""
        size = sum(len(keeping.words) for keeping in self._waiting.values())
        while size > _MOST_WAITING:
            oldest = next(iter(self._waiting))
            size -= len(self._waiting[oldest].words)
            self._give_up(oldest, "too many answers wait for Valkey")

    def release(self, name: str) -> None:
        """End a claim without an answer."""
        if self._claims.pop(name, None) is not None:
            self._release(name)

    def _release(self, name: str) -> None:
        if self.client.connected:  # else it ends with its lease
            self.client.send(RELEASE.call(_KEY, self._gateway, name.encode()), unheard)

    def tick(self, now: float) -> None:
        """Now and then: hold what is claimed."""
        if self._claims and not 0 <= now - self._held_at < self._lease_seconds / 3:
            self._held_at = now
            self._hold()

    def _hold(self) -> None:
        if self._claims and self.client.connected:
            words = [each.encode() for pair in self._claims.items() for each in pair]
            self.client.send(HOLD.call(_KEY, self._gateway, self._lease_ms, *words), unheard)

    def _changed(self, connected: bool) -> None:
        if connected:
            self._hold()
            for name in list(self._waiting):
                self._send(name)

    async def open(self) -> None:
        """Wait a little for Valkey: a gateway that has just started refuses nobody for that."""
        await self.client.up()

    async def close(self) -> None:
        """Wait for what is on its way, and hang up."""
        if self.client.connected:
            with contextlib.suppress(Lost, ReplyError):
                await self.client.ask(b"PING")  # answered after all that was sent before
        for keeping in self._waiting.values():
            request = keeping.kept.request_id
            log.warning("idempotency.not_kept", request_id=request, error="the gateway stopped")
        await self.client.close()


_UNKNOWN: Final = (
    "Whether a call with this Idempotency-Key was made before cannot be known right now, so it was "
    "not made. Try again shortly."
)


def _decoded(answer: bytes) -> Kept | None:
    """The answer; None when another version of Oxlo wrote it."""
    try:
        return msgspec.msgpack.decode(answer, type=Kept)
    except msgspec.DecodeError:
        return None
