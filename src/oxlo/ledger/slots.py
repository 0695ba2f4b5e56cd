"""Replica slots shared by several gateways, and the queue for them, in Valkey.

A slot is a lease, like those of accounts. Calls of all gateways that wait for a model share one
queue, in the order of `queue.py`; a freed slot is handed to the first of them by a message.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Literal

from oxlo.ledger import scripts
from oxlo.valkey.script import bulk, unheard

if TYPE_CHECKING:  # needs the extra `valkey`; gateways without Valkey load this module too
    from oxlo.valkey.client import Client

SlotOutcome = Literal["taken", "waits", "full", "down"]
#: Called with a request's outcome and the replica whose slot it got.
OnSlot = Callable[[SlotOutcome, str], None]
#: Replicas and their number of slots.
Replicas = list[tuple[str, int]]

#: Seconds after which a queued call is skipped unless its gateway has polled for it.
_ALIVE: Final = 5.0


class Offer:
    """The arguments that all calls for a model with one priority have in common, encoded once."""

    __slots__ = ("arguments", "head", "key", "limit", "replicas", "tail")

    def __init__(
        self, key: bytes, limit: int, replicas: Replicas, arguments: Iterable[bytes]
    ) -> None:
        """`arguments` are the arguments of take.lua before those of the individual call."""
        self.key = key
        self.limit = limit
        self.replicas = list(replicas)
        #: The number of arguments of take.lua.
        self.arguments = 10 + 2 * len(replicas)
        self.head = b"".join(map(bulk, arguments))
        self.tail = b"".join(bulk(name.encode()) + bulk(b"%d" % slots) for name, slots in replicas)


class SlotRequest:
    """A call's slot: requested, waited for, or taken."""

    __slots__ = (
        "ahead", "call", "encoded", "expires", "model", "offer", "over", "place", "replica",
        "reply", "slots", "then",
    )  # fmt: skip

    def __init__(
        self,
        slots: "SharedSlots",
        call: str,
        model: str,
        offer: Offer,
        encoded: bytes,
        then: OnSlot,
    ) -> None:
        self.slots = slots
        self.call = call
        self.model = model
        self.offer = offer
        #: The encoded arguments of take.lua that are specific to the call.
        self.encoded = encoded
        self.then = then
        #: Whether it was sent with the call's reservation and awaits its reply; and the reply of
        #: take.lua to that.
        self.ahead = False
        self.reply: list[Any] | None = None
        #: The replica whose slot it holds; "": none yet.
        self.replica = ""
        self.expires = 0.0
        #: Position in the shared queue as last reported by Valkey: 1 is next, 0 is unknown.
        self.place = 0
        self.over = False

    def replied(self, reply: Any) -> None:
        """Handle the reply of take.lua."""
        if self.over or self.replica:
            if self.over and isinstance(reply, list) and reply[0] == b"taken":
                self.replica = reply[1].decode()  # it had left before the reply arrived
                self.slots.free(self)
            return
        if not isinstance(reply, list):
            self.then("down", "")
        elif reply[0] == b"taken":
            self.slots.taken(self, reply[1].decode())
        else:
            self.then("waits" if reply[0] == b"waits" else "full", "")

    def release(self) -> None:
        """Release the slot, or stop waiting."""
        if not self.over:
            self.over = True
            self.slots.free(self)

    def end(self) -> None:
        """Finish without releasing anything here: the settlement releases a slot that is held."""
        self.over = True
        self.slots.forget(self)


class SharedSlots:
    """The slots that this gateway holds and waits for; gateways with the same `site` share them."""

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
        self.requests: dict[str, SlotRequest] = {}
        #: The common arguments, by model and priority.
        self._offers: dict[tuple[str, int], Offer] = {}
        self._frees: dict[str, bytes] = {}

    @property
    def up(self) -> bool:
        """Whether Valkey is reachable."""
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
        then: OnSlot,
    ) -> SlotRequest:
        """Prepare a request for the first free slot among `replicas`; `send` sends it.

        `level` is the plan's priority, `cost` the predicted work, `due_ms` the time until age
        promotes the call, `limit` the maximum length of the queue.
        """
        offer = self._offer(model, level, due_ms, limit, replicas)
        name, who, work = call.encode(), account.encode(), b"%d" % max(1, int(cost))
        encoded = b"$%d\r\n%b\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (
            len(name), name, len(who), who, len(work), work,
        )  # fmt: skip
        request = self.requests[call] = SlotRequest(self, call, model, offer, encoded, then)
        return request

    def _offer(self, model: str, level: int, due_ms: int, limit: int, replicas: Replicas) -> Offer:
        kept = self._offers.get((model, level))
        if (
            kept is not None
            and self._clock is None
            and kept.replicas == replicas
            and kept.limit == limit
        ):
            return kept
        arguments = (
            self._time(), self._gateway, b"%d" % level, self._lease, self._alive, b"%d" % limit,
            b"%d" % due_ms,
        )  # fmt: skip
        kept = self._offers[model, level] = Offer(self._key(model), limit, replicas, arguments)
        return kept

    def send(self, request: SlotRequest) -> None:
        """Request a slot; `then` is called with the outcome."""
        offer = request.offer
        start = scripts.TAKE.start(offer.key, offer.arguments)
        payload = b"%b%b%b%b" % (start, offer.head, request.encoded, offer.tail)
        self.client.send(payload, request.replied)

    def taken(self, request: SlotRequest, replica: str) -> None:
        """Record that the call got a slot."""
        request.replica = replica
        request.expires = self._loop.time() + self._lease_seconds
        request.then("taken", replica)

    def free(self, request: SlotRequest) -> None:
        """Release the slot that a call holds or waits for."""
        self.forget(request)
        start = self._frees.get(request.model)
        if start is None or self._clock is not None:
            start = scripts.FREE.start(self._key(request.model), 3) + bulk(self._time())
            self._frees[request.model] = start
        payload = start + bulk(request.call.encode()) + bulk(request.replica.encode())
        if self.client.connected:  # otherwise its lease expires
            self.client.send(payload, unheard)

    def forget(self, request: SlotRequest) -> None:
        """Drop a request that has ended, unless its call has made another one since."""
        if self.requests.get(request.call) is request:
            del self.requests[request.call]

    def message(self, text: bytes) -> None:
        """Handle a slot granted to a call of ours: `CALL REPLICA`."""
        call, replica = text.decode().split(" ", 1)
        request = self.requests.get(call)
        if request is not None and not request.replica:
            self.taken(request, replica)

    def tick(self, replicas: Callable[[str], Replicas]) -> None:
        """Renew leases and poll the state of waiting calls; called twice a second."""
        if not self.client.connected:
            return
        soon = self._loop.time() + self._lease_seconds * 2 / 3
        due: dict[str, tuple[list[SlotRequest], list[SlotRequest]]] = {}
        for request in self.requests.values():
            if request.ahead:
                continue
            if not request.replica or request.expires < soon:
                held, waiting = due.setdefault(request.model, ([], []))
                (held if request.replica else waiting).append(request)
        for model, (held, waiting) in due.items():
            self._hold(model, replicas(model), held, waiting)

    def _hold(
        self, model: str, replicas: Replicas, held: list[SlotRequest], waiting: list[SlotRequest]
    ) -> None:
        def replied(reply: Any) -> None:
            if isinstance(reply, list):
                for request, found in zip(waiting, reply, strict=True):
                    self._polled(request, found)

        arguments = [self._time(), self._lease, self._alive, b"%d" % len(replicas)]
        for replica, slots in replicas:
            arguments += [replica.encode(), b"%d" % slots]
        arguments.append(b"%d" % len(held))
        expires = self._loop.time() + self._lease_seconds
        for request in held:
            request.expires = expires
            arguments += [request.call.encode(), request.replica.encode()]
        arguments += [request.call.encode() for request in waiting]
        self.client.send(scripts.HOLD.call(self._key(model), *arguments), replied)

    def _polled(self, request: SlotRequest, found: Any) -> None:
        if request.over or request.replica:
            return
        if isinstance(found, int):
            request.place = found + 1
        elif found == b"-":  # Valkey was flushed: request it again
            self.send(request)
        else:
            self.taken(request, found.decode())

    def _key(self, model: str) -> bytes:
        return f"oxlo:slots:{{{self._site}/{model}}}".encode()

    def _time(self) -> bytes:
        return b"" if self._clock is None else b"%d" % round(self._clock() * 1000)
