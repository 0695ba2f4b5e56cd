"""Control's functions for the portal's pages: draining, gateways' metrics, receipts' reasons."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from oxlo.control import metrics, receipts
from oxlo.control.context import Control
from oxlo.control.snapshots import GatewaySnapshot
from oxlo.portal.live import Gateways, Live, Load


def build(control: Control) -> Live:
    """The functions that the pages use."""

    async def gateways() -> Gateways:
        return summed(await metrics.gateways(control))

    return Live(control.drain.run, gateways, receipts.reason)


def summed(snapshots: Iterable[GatewaySnapshot]) -> Gateways:
    """The sums of all gateways' metrics of replicas, queues and calls."""
    known = list(snapshots)
    queues = {model: count for (model, _), count in _added(known, "oxlo_queue_length").items()}
    running = _added(known, "oxlo_calls_running").total()
    return Gateways(tuple(each.gateway for each in known), _loads(known), queues, running)


def _loads(snapshots: Sequence[GatewaySnapshot]) -> tuple[Load, ...]:
    in_use = _added(snapshots, "oxlo_slots_in_use")
    # Every gateway sees the same replicas.
    slots = {replica: count for each in snapshots for replica, count in _gauge(each, "oxlo_slots")}
    return tuple(
        Load(model, replica, count, in_use[model, replica])
        for (model, replica), count in sorted(slots.items())
    )


def _added(snapshots: Iterable[GatewaySnapshot], name: str) -> Counter[tuple[str, str]]:
    """A gauge summed over all gateways, by model and replica."""
    total: Counter[tuple[str, str]] = Counter()
    for each in snapshots:
        for place, count in _gauge(each, name):
            total[place] += count
    return total


def _gauge(snapshot: GatewaySnapshot, wanted: str) -> Iterator[tuple[tuple[str, str], int]]:
    for name, labels, value in snapshot.gauges:
        if name == wanted:
            yield (labels.get("model", ""), labels.get("replica", "")), int(value)
