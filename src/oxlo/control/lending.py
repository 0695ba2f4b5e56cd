"""What control lends to the pages: draining, and what gateways and receipts say."""

from collections.abc import Iterable

from oxlo.control import metrics, receipts
from oxlo.control.context import Control
from oxlo.control.snapshots import GatewaySnapshot
from oxlo.portal.live import Gateways, Live, Load


def live(control: Control) -> Live:
    """The functions of this process for its pages."""

    async def gateways() -> Gateways:
        return summed(await metrics.gateways(control))

    return Live(control.drain.run, gateways, receipts.reason)


def summed(snapshots: Iterable[GatewaySnapshot]) -> Gateways:
    """All gateways' figures of replicas, queues and calls, added up."""
    names: list[str] = []
    slots: dict[tuple[str, str], int] = {}
    in_use: dict[tuple[str, str], int] = {}
    queues: dict[str, int] = {}
    running = 0
    for snapshot in snapshots:
        names.append(snapshot.gateway)
        for name, labels, value in snapshot.gauges:
            replica = labels.get("model", ""), labels.get("replica", "")
            if name == "oxlo_slots":
                slots[replica] = int(value)  # every gateway sees the same replicas
            elif name == "oxlo_slots_in_use":
                in_use[replica] = in_use.get(replica, 0) + int(value)
            elif name == "oxlo_queue_length":
                queues[replica[0]] = queues.get(replica[0], 0) + int(value)
            elif name == "oxlo_calls_running":
                running += int(value)
    loads = [
        Load(model, replica, count, in_use.get((model, replica), 0))
        for (model, replica), count in sorted(slots.items())
    ]
    return Gateways(tuple(names), tuple(loads), queues, running)
