"""Gateways' metrics in Prometheus' format."""

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from oxlo.control import snapshots
from oxlo.control.snapshots import Buckets, GatewaySnapshot
from oxlo.fleet.registry import ReplicaList, ReplicaState
from oxlo.testing.replicas import replica


class _Fixed(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


def _samples(families: list[Metric]) -> dict[tuple[str, tuple[str, ...]], float]:
    """Samples by Prometheus' parser: (name, label values in order of name) to value."""
    registry = CollectorRegistry()
    registry.register(_Fixed(families))
    text = generate_latest(registry).decode()
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_gateways_share_a_family() -> None:
    """A counter of two gateways is one family, even if its labels differ."""
    first = GatewaySnapshot("g1", 5.0, counters=(("oxlo_requests_total", {"model": "m"}, 3),))
    second = GatewaySnapshot("g2", 6.0, counters=(("oxlo_requests_total", {}, 4),))
    samples = _samples(list(snapshots.families([first, second])))
    assert samples["oxlo_requests_total", ("g1", "m")] == 3
    assert samples["oxlo_requests_total", ("g2",)] == 4
    assert samples["oxlo_gateway_start_time_seconds", ("g1",)] == 5.0


def test_gauges_keep_their_names() -> None:
    """Gauges are passed on unchanged."""
    snapshot = GatewaySnapshot("g1", 5.0, gauges=(("oxlo_running", {"model": "m"}, 2),))
    samples = _samples(list(snapshots.families([snapshot])))
    assert samples["oxlo_running", ("g1", "m")] == 2


def test_histogram_ends_with_infinity() -> None:
    """A missing `+Inf` bucket is taken from the count."""
    buckets = Buckets(buckets=((0.1, 1), (1, 3)), sum=9.5, count=4)
    snapshot = GatewaySnapshot("g1", 5.0, histograms=(("oxlo_call_seconds", {}, buckets),))
    samples = _samples(list(snapshots.families([snapshot])))
    assert samples["oxlo_call_seconds_bucket", ("g1", "1.0")] == 3
    assert samples["oxlo_call_seconds_bucket", ("g1", "+Inf")] == 4
    assert samples["oxlo_call_seconds_count", ("g1",)] == 4
    assert samples["oxlo_call_seconds_sum", ("g1",)] == 9.5


def test_replica_is_in_one_state() -> None:
    """Exactly one state of a replica is 1."""
    sick = replica("m", ReplicaState.SICK, kind="llamacpp")
    samples = _samples([snapshots.replica_states(ReplicaList(0.0, (sick,)))])
    assert samples["oxlo_replica_state", ("llamacpp", "m", "m-1", "sick")] == 1
    assert sum(samples.values()) == 1


def test_minimum_is_told() -> None:
    """The number of ready replicas, and the minimum."""
    listed = ReplicaList(0.0, (replica("m"),), {"m": 2})
    assert _samples(list(snapshots.replicas_wanted(listed))) == {
        ("oxlo_replicas_ready", ("m",)): 1,
        ("oxlo_replicas_minimum", ("m",)): 2,
    }


def test_warm_up_is_told() -> None:
    """Durations in seconds; replicas without warm-up are omitted."""
    warm = replica("m", first_ms=250.0, warm_ms=50.0)
    cold = replica("m", number=2)
    samples = _samples([snapshots.replica_warmth(ReplicaList(0.0, (warm, cold)))])
    assert samples == {
        ("oxlo_replica_warm_up_seconds", ("m", "m-1", "first")): 0.25,
        ("oxlo_replica_warm_up_seconds", ("m", "m-1", "later")): 0.05,
    }


def test_memory_is_told() -> None:
    """In bytes; replicas without a process of ours are omitted."""
    listed = ReplicaList(0.0, (replica("m"), replica("m", number=2)))
    samples = _samples([snapshots.replica_memory(listed, {"m-1": 5_000_000})])
    assert samples == {("oxlo_replica_memory_bytes", ("m", "m-1")): 5_000_000}
