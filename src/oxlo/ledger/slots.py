"""Slots of replicas that several gateways share, and the line for them: in Valkey.

A slot is a lease, as an account's are. Who waits for a model stands in one line of all gateways,
in the order of `queue.py`; a slot that comes free is handed to the first by a message.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Literal

from oxlo.ledger import scripts
from oxlo.valkey.script import bulk, unheard

if TYPE_CHECKING:  # it needs the extra `valkey`, and gateways without Valkey load this module too
    from oxlo.valkey.client import Client

What = Literal["taken", "waits", "full", "down"]
#: Called with what became of a call, and the replica whose slot it has.
Told = Callable[[What, str], None]
#: Replicas and their slots.
Replicas = list[tuple[str, int]]

#: Seconds after which a call in the line is passed over unless its gateway asked for it again.
_ALIVE: Final = 5.0


class Offer:
    """The replicas of a model, as calls of one priority ask for them; written once."""

    __slots__ = ("arguments", "head", "key", "limit", "replicas", "tail")

    def __init__(self, key: bytes, limit: int, replicas: Replicas, words: Iterable[bytes]) -> None:
        """`words` are take.lua's arguments before those that are a call's own."""
        self.key = key
        self.limit = limit
        self.replicas = list(replicas)
        #: How many arguments take.lua has.
        self.arguments = 10 + 2 * len(replicas)
        self.head = b"".join(map(bulk, words))
        self.tail = b"".join(bulk(name.encode()) + bulk(b"%d" % slots) for name, slots in replicas)


class Asked:
    """A call's slot: asked for, waited for, or taken."""

    __slots__ = (
        "ahead", "call", "expires", "model", "offer", "over", "place", "replica", "said", "slots",
        "told", "words",
    )  # fmt: skip

    def __init__(
        self, slots: "SharedSlots", call: str, model: str, offer: Offer, words: bytes, told: Told
    ) -> None:
        self.slots = slots
        self.call = call
        self.model = model
        self.offer = offer
        #: What take.lua is told of the call itself.
        self.words = words
        self.told = told
        #: Whether it is asked for with the call's reservation, which is not answered yet; and what
        #: take.lua said there.
        self.ahead = False
        self.said: list[Any] | None = None
        #: The replica whose slot it has; "": none yet.
        self.replica = ""
        self.expires = 0.0
        #: In the line of all gateways, as Valkey said last; 1 is next, 0: it has not said.
        self.place = 0
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

    def end(self) -> None:
        """There is nothing to give back, or it is given back with the settlement."""
        self.over = True
        self.slots.asked.pop(self.call, None)


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
        #: What calls ask for, by model and priority.
        self._offers: dict[tuple[str, int], Offer] = {}
        self._frees: dict[str, bytes] = {}

    @property
    def up(self) -> bool:
        """Whether Valkey can be asked."""
        return self.client.connected

    def prepare(
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
        """A wish for a slot, at the first of `replicas` that has one: `send` asks for it.

        `level` is the plan's priority, `cost` the predicted work, `due_ms` the time until age
        brings the call forward, `limit` how many may wait.
        """
        offer = self._offer(model, level, due_ms, limit, replicas)
        name, who, work = call.encode(), account.encode(), b"%d" % max(1, int(cost))
        words = b"$%d\r\n%b\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (
            len(name), name, len(who), who, len(work), work,
        )  # fmt: skip
        asked = self.asked[call] = Asked(self, call, model, offer, words, told)
        return asked

    def _offer(self, model: str, level: int, due_ms: int, limit: int, replicas: Replicas) -> Offer:
        kept = self._offers.get((model, level))
        if (
            kept is not None
            and self._clock is None
            and kept.replicas == replicas
            and kept.limit == limit
        ):
            return kept
        words = (
            self._time(), self._gateway, b"%d" % level, self._lease, self._alive, b"%d" % limit,
            b"%d" % due_ms,
        )  # fmt: skip
        kept = self._offers[model, level] = Offer(self._key(model), limit, replicas, words)
        return kept

    def send(self, asked: Asked) -> None:
        """Ask for a slot; `told` follows."""
        offer = asked.offer
        start = scripts.TAKE.start(offer.key, offer.arguments)
        words = b"%b%b%b%b" % (start, offer.head, asked.words, offer.tail)
        self.client.send(words, asked.replied)

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
            self.client.send(words, unheard)

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
            if asked.ahead:
                continue
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
        if asked.over or asked.replica:
            return
        if isinstance(found, int):
            asked.place = found + 1
        elif found == b"-":  # Valkey was flushed: ask again
            self.send(asked)
        else:
            self.taken(asked, found.decode())

    def _key(self, model: str) -> bytes:
        return f"oxlo:slots:{{{self._site}/{model}}}".encode()

    def _time(self) -> bytes:
        return b"" if self._clock is None else b"%d" % round(self._clock() * 1000)
