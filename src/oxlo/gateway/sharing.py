"""Slots where several gateways share the engines: each is asked for, and waited for, in Valkey.

The gateway's own queue keeps who waits here, for places, waits and what is told to clients; whose
turn it is is decided in Valkey, over all gateways. Without Valkey it is decided here.
"""

from typing import TYPE_CHECKING

from oxlo.fleet import router
from oxlo.fleet.router import Demand
from oxlo.gateway.backends import Backend, Group, Slot
from oxlo.ledger.slots import Asked, SharedSlots
from oxlo.queue import DUE_AFTER

if TYPE_CHECKING:
    from oxlo.gateway.call import Call
    from oxlo.gateway.core import Gateway


class SharedSlot(Slot):
    """A slot that other gateways know of."""

    __slots__ = ("_asked",)

    def __init__(self, backend: Backend, demand: Demand, asked: Asked) -> None:
        super().__init__(backend, demand)
        self._asked = asked

    def release(self) -> None:
        """Give it back; once."""
        super().release()
        self._asked.release()


class Sharing:
    """How this gateway's calls come by slots."""

    def __init__(self, gateway: "Gateway", slots: SharedSlots) -> None:
        self._gateway = gateway
        self._slots = slots

    @property
    def up(self) -> bool:
        """Whether turns are decided in Valkey."""
        return self._slots.up

    def prepare(self, call: "Call", group: Group) -> Asked:
        """What a call wants: to be asked for with its reservation, or by `ask`."""
        level, wall = call.priority, self._gateway.wall()

        def told(what: str, replica: str) -> None:
            self._told(call, group, what, replica)

        return self._slots.prepare(
            call.id,
            group.model,
            level=level,
            account=call.caller.account,
            cost=call.demand.work,
            due_ms=int(DUE_AFTER[level] * 1000),
            limit=self._gateway.settings.queue_limit if call.may_wait else 0,
            replicas=_in_order(group, call.demand, wall, call.avoid),
            told=told,
        )

    def ask(self, call: "Call", group: Group) -> None:
        """Ask for a slot; `call.take` or `call.wait` follows, or its failure."""
        asked = self._slots.asked.get(call.id)
        if asked is not None and asked.said is not None:  # it came with the reservation
            said, asked.said = asked.said, None
            asked.replied(said)
        else:
            self._slots.send(self.prepare(call, group))

    def leave(self, call: "Call") -> None:
        """A call needs no slot any more, or has one that Valkey did not give."""
        asked = self._slots.asked.get(call.id)
        if asked is not None and not asked.replica:
            asked.release()

    def place(self, call: "Call") -> int:
        """A call's place in the line of all gateways; 0: it is not known."""
        asked = self._slots.asked.get(call.id)
        return asked.place if asked is not None and self.up else 0

    def _told(self, call: "Call", group: Group, what: str, replica: str) -> None:
        if what == "taken":
            self._taken(call, group, replica)
        elif what == "full":
            call.full()
        elif what == "down":
            self.leave(call)
            self._gateway.place_here(call, group)
        else:
            call.wait()

    def _taken(self, call: "Call", group: Group, replica: str) -> None:
        asked = self._slots.asked[call.id]
        backend = None
        for each in group.backends:
            if each.id == replica and each.ready:
                backend = each
        if backend is None:  # it has just gone: another one
            asked.release()
            self.ask(call, group)
            return
        if group.queue:
            group.queue.serve(call, self._gateway.clock())
        call.take(SharedSlot(backend, call.demand, asked))

    def tick(self) -> None:
        """Twice a second: leases and places go on; who waited here alone waits with the others."""
        if not self.up:
            return
        for group in self._gateway.backends.groups():
            for waiting in group.queue:
                if waiting.item.id not in self._slots.asked:
                    self.ask(waiting.item, group)
        self._slots.tick(self._replicas)

    def _replicas(self, model: str) -> list[tuple[str, int]]:
        group = self._gateway.backends.group(model)
        wall = self._gateway.wall()
        return _ready(group.backends, wall) if group is not None else []


def _ready(backends: list[Backend], now: float) -> list[tuple[str, int]]:
    """Those that are ready; one that wants to be left alone has no slot for now."""
    return [(b.id, b.slots if b.takes(now) else 0) for b in backends if b.ready]


def _in_order(
    group: Group, demand: Demand, now: float, avoid: Backend | None
) -> list[tuple[str, int]]:
    """The replica that the router would choose, then the others, those that fail last."""
    ready = [b for b in group.backends if b.takes(now) and b is not avoid]
    if len(ready) < 2:
        return _ready(ready, now)
    first = router.choose(ready, demand, now)
    rest = sorted(
        (b for b in ready if b is not first),
        key=lambda b: (b.broken_until > now, b.overflow, b.in_use / b.slots),
    )
    return _ready(rest if first is None else [first, *rest], now)
