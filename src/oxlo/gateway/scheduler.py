"""Assigns slots to calls based on this gateway's state alone."""

from functools import partial

from oxlo.gateway.active import ActiveCall
from oxlo.gateway.backends import Backends, Group, Slot
from oxlo.gateway.clocks import Clocks
from oxlo.ledger.slots import SlotRequest


class Scheduler:
    """Assigns replica slots to calls, in the order of the models' queues."""

    def __init__(self, clocks: Clocks) -> None:
        self._clocks = clocks

    @property
    def shared(self) -> bool:
        """Whether the order is decided across all gateways."""
        return False

    def prepare(self, call: ActiveCall, group: Group) -> SlotRequest | None:
        """The slot to request with a call's reservation; None: it is requested later."""
        return None

    def place(self, call: ActiveCall, group: Group) -> None:
        """Give the call a slot or queue it; `take` or `wait` follows."""
        slot = None if group.queue else group.acquire(call.demand, self._clocks.clock(), call.avoid)
        if slot is not None:
            call.take(slot)
        else:
            call.wait()

    def leave(self, call: ActiveCall, group: Group) -> None:
        """Stop waiting for a slot. No effect if the call was not waiting."""
        group.queue.remove(call)

    def release(self, slot: Slot, group: Group) -> None:
        """Release a slot and serve the queue."""
        slot.release()
        if group.queue:
            self.serve(group)

    def serve(self, group: Group) -> None:
        """Assign free slots to waiting calls, in the queue's order."""
        clock = self._clocks.clock()
        while group.queue and group.has_slot(clock):
            call = group.queue.pop(clock)
            assert call is not None
            slot = group.acquire(call.demand, clock)
            assert slot is not None
            self._placed_locally(call)
            # Isolated, as the next call's failure must not end the one that released the slot.
            call.exchange.act(partial(call.take, slot))

    def _placed_locally(self, call: ActiveCall) -> None:
        """Handle a slot that was assigned to a waiting call."""

    def place_of(self, call: ActiveCall) -> int:
        """A call's position in the queue of all gateways; 0 if there is none or it is unknown."""
        return 0

    def tick(self, backends: Backends) -> None:
        """Do periodic work; called twice a second."""
