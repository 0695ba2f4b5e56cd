"""How calls come by slots, by what this gateway knows alone."""

from oxlo.gateway.active import ActiveCall
from oxlo.gateway.backends import Backends, Group, Slot
from oxlo.gateway.clocks import Clocks
from oxlo.ledger.slots import Asked


class Placing:
    """Gives calls the slots of replicas, in the order of the models' queues."""

    def __init__(self, clocks: Clocks) -> None:
        self._clocks = clocks

    @property
    def shared(self) -> bool:
        """Whether turns are decided over all gateways."""
        return False

    def prepare(self, call: ActiveCall, group: Group) -> Asked | None:
        """What a call wants, to be asked for with its reservation; None: it is asked for later."""
        return None

    def place(self, call: ActiveCall, group: Group) -> None:
        """Give a call a slot, or let it wait for one: `take` or `wait` follows."""
        slot = None if group.queue else group.acquire(call.demand, self._clocks.clock(), call.avoid)
        if slot is not None:
            call.take(slot)
        else:
            call.wait()

    def leave(self, call: ActiveCall, group: Group) -> None:
        """A call waits for no slot any more. Harmless when it did not."""
        group.queue.remove(call)

    def release(self, slot: Slot, group: Group) -> None:
        """Give a slot back and serve who waits for it."""
        slot.release()
        if group.queue:
            self.serve(group)

    def serve(self, group: Group) -> None:
        """Hand free slots to those who wait, in the queue's order."""
        clock = self._clocks.clock()
        while group.queue and group.has_slot(clock):
            call = group.queue.pop(clock)
            assert call is not None
            slot = group.acquire(call.demand, clock)
            assert slot is not None
            self._given(call)
            call.take(slot)

    def _given(self, call: ActiveCall) -> None:
        """A slot was found here for a call that waited."""

    def place_of(self, call: ActiveCall) -> int:
        """A call's place in the line of all gateways; 0: there is none, or it is not known."""
        return 0

    def tick(self, backends: Backends) -> None:
        """Twice a second."""
