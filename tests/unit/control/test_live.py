"""Metrics of gateways for the pages."""

from oxlo.control.live import summed
from oxlo.control.snapshots import GatewaySnapshot
from oxlo.portal.live import Load


def _gateway(name: str, in_use: float, waiting: float) -> GatewaySnapshot:
    replica = {"model": "m", "replica": "m-1"}
    gauges = (
        ("oxlo_slots", replica, 4.0),
        ("oxlo_slots_in_use", replica, in_use),
        ("oxlo_queue_length", {"model": "m"}, waiting),
        ("oxlo_calls_running", {}, in_use),
        ("something_new", {}, 1.0),
    )
    return GatewaySnapshot(name, 1.0, gauges=gauges)


def test_gateways_are_added_up() -> None:
    """Calls and queues are summed over gateways; the slots of replicas are not."""
    both = summed([_gateway("a", 1, 0), _gateway("b", 2, 3)])
    assert both.names == ("a", "b")
    assert both.loads == (Load("m", "m-1", 4, 3),)
    assert (both.queues, both.running) == ({"m": 3}, 3)
