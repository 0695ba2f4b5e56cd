"""Assigns slots that several gateways share, by way of Valkey.

The gateway's own queue tracks waiting calls for positions, timeouts and comments; the order is
decided in Valkey across all gateways. While Valkey is unreachable it is decided locally.
"""

from functools import partial

from oxlo.fleet import router
from oxlo.fleet.router import Demand
from oxlo.gateway.active import ActiveCall
from oxlo.gateway.backends import Backend, Backends, Group, Slot
from oxlo.gateway.clocks import Clocks
from oxlo.gateway.scheduler import Scheduler
from oxlo.ledger.slots import SharedSlots, SlotRequest
from oxlo.queue import DUE_AFTER


class SharedSlot(Slot):
    """A slot that other gateways know of."""

    __slots__ = ("_request",)

    def __init__(self, backend: Backend, demand: Demand, request: SlotRequest) -> None:
        super().__init__(backend, demand)
        self._request = request

    def release(self) -> None:
        """Release the slot, here and in Valkey."""
        super().release()
        self._request.release()


class SharedScheduler(Scheduler):
    """Assigns slots to calls by asking Valkey."""

    def __init__(self, clocks: Clocks, slots: SharedSlots, queue_limit: int) -> None:
        super().__init__(clocks)
        self._slots = slots
        self._queue_limit = queue_limit

    @property
    def shared(self) -> bool:
        """Whether the order is decided in Valkey."""
        return self._slots.up

    def prepare(self, call: ActiveCall, group: Group) -> SlotRequest:
        """Prepare the request for a slot, sent with the reservation or when the call is placed."""
        level, clock = call.priority, self._clocks.clock()

        def then(outcome: str, replica: str) -> None:
            call.exchange.act(partial(self._on_outcome, call, group, outcome, replica))

        return self._slots.prepare(
            call.id,
            group.model,
            level=level,
            account=call.caller.account,
            cost=call.demand.work,
            due_ms=int(DUE_AFTER[level] * 1000),
            limit=self._queue_limit if call.may_wait else 0,
            replicas=_in_order(group, call.demand, clock, call.avoid),
            then=then,
        )

    def place(self, call: ActiveCall, group: Group) -> None:
        """Request a slot; `call.take`, `call.wait` or `call.full` follows."""
        if self.shared:
            self._ask(call, group)
        else:
            super().place(call, group)

    def _ask(self, call: ActiveCall, group: Group) -> None:
        request = self._slots.requests.get(call.id)
        if request is not None and request.reply is not None:  # came with the reservation's
            reply, request.reply = request.reply, None
            request.replied(reply)
        else:
            self._slots.send(self.prepare(call, group))

    def leave(self, call: ActiveCall, group: Group) -> None:
        """Stop waiting for a slot, here and in Valkey."""
        super().leave(call, group)
        self._placed_locally(call)

    def serve(self, group: Group) -> None:
        """Assign free slots, unless Valkey does."""
        if not self.shared:
            super().serve(group)

    def _placed_locally(self, call: ActiveCall) -> None:
        """Withdraw a call's request from Valkey, as it gets its slot locally."""
        request = self._slots.requests.get(call.id)
        if request is not None and not request.replica:
            request.release()

    def place_of(self, call: ActiveCall) -> int:
        """A call's position in the queue of all gateways; 0: unknown."""
        request = self._slots.requests.get(call.id)
        return request.place if request is not None and self.shared else 0

    def _on_outcome(self, call: ActiveCall, group: Group, outcome: str, replica: str) -> None:
        if outcome == "taken":
            self._taken(call, group, replica)
        elif outcome == "full":
            call.full()
        elif outcome == "down":
            self._placed_locally(call)
            super().place(call, group)
        else:
            call.wait()

    def _taken(self, call: ActiveCall, group: Group, replica: str) -> None:
        request = self._slots.requests[call.id]
        backend = None
        for each in group.backends:
            if each.id == replica and each.ready:
                backend = each
        if backend is None:  # the replica has just gone: request another slot
            request.release()
            self._ask(call, group)
            return
        if group.queue:
            group.queue.serve(call, self._clocks.clock())
        call.take(SharedSlot(backend, call.demand, request))

    def tick(self, backends: Backends) -> None:
        """Renew leases and positions; calls that waited locally join the shared queue."""
        if not self.shared:
            return
        for group in backends.groups():
            for waiting in group.queue:
                if waiting.item.id not in self._slots.requests:
                    self._ask(waiting.item, group)
        self._slots.tick(lambda model: self._replicas(backends.group(model)))

    def _replicas(self, group: Group | None) -> list[tuple[str, int]]:
        return _ready(group.backends, self._clocks.clock()) if group is not None else []


def _ready(backends: list[Backend], now: float) -> list[tuple[str, int]]:
    """Ready replicas with their slots; none for a replica whose quota is used up."""
    return [(b.id, b.slots if b.takes(now) else 0) for b in backends if b.ready]


def _in_order(
    group: Group, demand: Demand, now: float, avoid: Backend | None
) -> list[tuple[str, int]]:
    """The router's choice first, then the others; those with an open circuit breaker last."""
    ready = [b for b in group.backends if b.takes(now) and b is not avoid]
    if len(ready) < 2:
        return _ready(ready, now)
    first = router.choose(ready, demand, now)
    rest = sorted(
        (b for b in ready if b is not first),
        key=lambda b: (b.broken_until > now, b.overflow, b.in_use / b.slots),
    )
    return _ready(rest if first is None else [first, *rest], now)
