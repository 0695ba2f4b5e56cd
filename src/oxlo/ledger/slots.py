"""Slots of replicas that several gateways share, and the line for them: in Valkey.

A slot is a lease, as an account's are. Who waits for a model stands in one line of all gateways,
in the order of `queue.py`; a slot that comes free is handed to the first by a message.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal

from oxlo.ledger import scripts
from oxlo.valkey.script import bulk

if TYPE_CHECKING:  # it needs the extra `valkey`, and gateways without Valkey load this module too
    from oxlo.valkey.client import Client

What = Literal["taken", "waits", "full", "down"]
#: Called with what became of a call, and the replica whose slot it has.
Told = Callable[[What, str], None]
#: Replicas and their slots.
Replicas = list[tuple[str, int]]

#: Seconds after which a call in the line is passed over unless its gateway asked for it again.
_ALIVE: Final = 5.0


class Asked:
    """A call's slot: asked for, waited for, or taken."""

    __slots__ = ("call", "expires", "model", "over", "replica", "slots", "told", "words")

    def __init__(
        self, slots: "SharedSlots", call: str, model: str, words: bytes, told: Told
    ) -> None:
        self.slots = slots
        self.call = call
        self.model = model
        #: The command that asks; it may be sent again.
        self.words = words
        self.told = told
        #: The replica whose slot it has; "": none yet.
        self.replica = ""
        self.expires = 0.0
        self.over = False

    def replied(self, said: Any) -> None:
        """What take.lua says."""
        if self.over or self.replica:
            if self.over and isinstance(said, list) and said[0] == b"taken":
                self.replica = said[1].decode()  # it left before this came
                self.slots.free(self)
            return
        if not isinstance(said, list):
            self.told("down", "")
        elif said[0] == b"taken":
            self.slots.taken(self, said[1].decode())
        else:
            self.told("waits" if said[0] == b"waits" else "full", "")

    def release(self) -> None:
        """Give the slot back, or wait no longer."""
        if not self.over:
            self.over = True
            self.slots.free(self)


class SharedSlots:
    """The slots that this gateway takes and waits for; `site` are those who share the engines."""

    def __init__(
        self,
        client: "Client",
        loop: asyncio.AbstractEventLoop,
        site: str,
        gateway: str,
        *,
        lease_seconds: float = 30.0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.client = client
        self._loop = loop
        self._site = site
        self._gateway = gateway.encode()
        self._lease_seconds = lease_seconds
        self._lease = b"%d" % int(lease_seconds * 1000)
        self._alive = b"%d" % int(_ALIVE * 1000)
        self._clock = clock
        self.asked: dict[str, Asked] = {}
        #: Parts of commands that stay as they are.
        self._kept: dict[tuple[str, int], tuple[list[tuple[str, int]], int, bytes, bytes]] = {}
        self._frees: dict[str, bytes] = {}

    @property
    def up(self) -> bool:
        """Whether Valkey can be asked."""
        return self.client.connected

    def ask(
        self,
        call: str,
        model: str,
        *,
        level: int,
        account: str,
        cost: float,
        due_ms: int,
        limit: int,
        replicas: Replicas,
        told: Told,
    ) -> Asked:
        """Ask for a slot, at the first of `replicas` that has one.

        `level` is the plan's priority, `cost` the predicted work, `due_ms` the time until age
        brings the call forward, `limit` how many may wait.
        """
        head, tail = self._around(model, level, due_ms, limit, replicas)
        name, who, work = call.encode(), account.encode(), b"%d" % max(1, int(cost))
        words = b"%b$%d\r\n%b\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n%b" % (
            head, len(name), name, len(who), who, len(work), work, tail,
        )  # fmt: skip
        asked = self.asked[call] = Asked(self, call, model, words, told)
        self.client.send(words, asked.replied)
        return asked

    def _around(
        self, model: str, level: int, due_ms: int, limit: int, replicas: Replicas
    ) -> tuple[bytes, bytes]:
        """What take.lua is told before and after what is the call's own; kept while it holds."""
        kept = self._kept.get((model, level))
        if kept is not None and self._clock is None and kept[0] == replicas and kept[1] == limit:
            return kept[2], kept[3]
        head = scripts.TAKE.start(self._key(model), 10 + 2 * len(replicas))
        for word in (
            self._time(), self._gateway, b"%d" % level, self._lease, self._alive, b"%d" % limit,
            b"%d" % due_ms,
        ):  # fmt: skip
            head += bulk(word)
        tail = b"".join(bulk(name.encode()) + bulk(b"%d" % slots) for name, slots in replicas)
        self._kept[model, level] = list(replicas), limit, head, tail
        return head, tail

    def taken(self, asked: Asked, replica: str) -> None:
        """A slot is the call's."""
        asked.replica = replica
        asked.expires = self._loop.time() + self._lease_seconds
        asked.told("taken", replica)

    def free(self, asked: Asked) -> None:
        """Give back what a call has or waits for."""
        self.asked.pop(asked.call, None)
        start = self._frees.get(asked.model)
        if start is None or self._clock is not None:
            start = scripts.FREE.start(self._key(asked.model), 3) + bulk(self._time())
            self._frees[asked.model] = start
        words = start + bulk(asked.call.encode()) + bulk(asked.replica.encode())
        if self.client.connected:  # else its lease ends by itself
            self.client.send(words, _ignore)

    def message(self, text: bytes) -> None:
        """A slot for a call of ours: `CALL REPLICA`."""
        call, replica = text.decode().split(" ", 1)
        asked = self.asked.get(call)
        if asked is not None and not asked.replica:
            self.taken(asked, replica)

    def tick(self, replicas: Callable[[str], Replicas]) -> None:
        """Twice a second: renew leases, and ask how those stand who wait."""
        if not self.client.connected:
            return
        soon = self._loop.time() + self._lease_seconds * 2 / 3
        due: dict[str, tuple[list[Asked], list[Asked]]] = {}
        for asked in self.asked.values():
            if not asked.replica or asked.expires < soon:
                held, waiting = due.setdefault(asked.model, ([], []))
                (held if asked.replica else waiting).append(asked)
        for model, (held, waiting) in due.items():
            self._hold(model, replicas(model), held, waiting)

    def _hold(
        self, model: str, replicas: Replicas, held: list[Asked], waiting: list[Asked]
    ) -> None:
        def replied(said: Any) -> None:
            if isinstance(said, list):
                for asked, found in zip(waiting, said, strict=True):
                    self._stands(asked, found)

        arguments = [self._time(), self._lease, self._alive, b"%d" % len(replicas)]
        for replica, slots in replicas:
            arguments += [replica.encode(), b"%d" % slots]
        arguments.append(b"%d" % len(held))
        expires = self._loop.time() + self._lease_seconds
        for asked in held:
            asked.expires = expires
            arguments += [asked.call.encode(), asked.replica.encode()]
        arguments += [asked.call.encode() for asked in waiting]
        self.client.send(scripts.HOLD.call(self._key(model), *arguments), replied)

    def _stands(self, asked: Asked, found: Any) -> None:
        if asked.over or asked.replica or isinstance(found, int):
            return
        if found == b"-":  # Valkey was flushed: ask again
            self.client.send(asked.words, asked.replied)
        else:
            self.taken(asked, found.decode())

    def _key(self, model: str) -> bytes:
        return f"oxlo:slots:{{{self._site}/{model}}}".encode()

    def _time(self) -> bytes:
        return b"" if self._clock is None else b"%d" % round(self._clock() * 1000)


def _ignore(got: Any) -> None:
    """Nobody waits for this reply."""
