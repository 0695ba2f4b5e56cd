"""Converting gateways' snapshots to Prometheus metrics, without I/O."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec
from prometheus_client import Metric
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)

from oxlo.fleet import minimum
from oxlo.fleet.registry import ReplicaList, ReplicaState

Labels = Mapping[str, str]


class Buckets(msgspec.Struct, frozen=True):
    """A histogram: cumulative counts by upper bound, the last one `+Inf`."""

    buckets: tuple[tuple[str | float, float], ...]
    sum: float
    count: float

    def bounds(self) -> list[tuple[str, float]]:
        """The buckets with Prometheus' labels, `+Inf` included."""
        named = [(_bound(le), count) for le, count in self.buckets]
        return named if named and named[-1][0] == "+Inf" else [*named, ("+Inf", self.count)]


class GatewaySnapshot(msgspec.Struct, frozen=True):
    """The response of a gateway's admin socket to `GET /snapshot`."""

    gateway: str
    started: float
    counters: tuple[tuple[str, dict[str, str], float], ...] = ()
    gauges: tuple[tuple[str, dict[str, str], float], ...] = ()
    histograms: tuple[tuple[str, dict[str, str], Buckets], ...] = ()


def decode(body: bytes) -> GatewaySnapshot:
    """Decode a snapshot. Raises msgspec.DecodeError."""
    return msgspec.json.decode(body, type=GatewaySnapshot)


def families(snapshots: Iterable[GatewaySnapshot]) -> Iterator[Metric]:
    """All gateways' metrics: one family per name, each sample labelled with its gateway."""
    known = list(snapshots)
    started = GaugeMetricFamily(
        "oxlo_gateway_start_time_seconds", "When the gateway started.", labels=["gateway"]
    )
    for snapshot in known:
        started.add_metric([snapshot.gateway], snapshot.started)
    yield started
    yield from _plain(CounterMetricFamily, ((s.gateway, s.counters) for s in known))
    yield from _plain(GaugeMetricFamily, ((s.gateway, s.gauges) for s in known))
    yield from _histograms(known)


def replica_states(replicas: ReplicaList) -> Metric:
    """Each replica's state: 1 for its current state, 0 for the others."""
    labels = ["replica", "model", "kind", "state"]
    family = GaugeMetricFamily("oxlo_replica_state", "Which state a replica is in.", labels=labels)
    for replica in replicas.replicas:
        for state in ReplicaState:
            values = [replica.id, replica.model, replica.kind, state.value]
            family.add_metric(values, float(replica.state == state))
    return family


def replicas_wanted(replicas: ReplicaList) -> Iterator[Metric]:
    """The number of ready replicas of each model, and the required minimum."""
    ready = GaugeMetricFamily("oxlo_replicas_ready", "Replicas that take calls.", labels=["model"])
    least = GaugeMetricFamily(
        "oxlo_replicas_minimum", "Replicas that have to be ready.", labels=["model"]
    )
    minimums = {replica.model: 1 for replica in replicas.replicas} | replicas.minimum
    for model, wanted in minimums.items():
        ready.add_metric([model], minimum.ready(replicas.replicas, model))
        least.add_metric([model], wanted)
    yield ready
    yield least


def replica_warmth(replicas: ReplicaList) -> Metric:
    """Durations of each replica's first and later warm-up requests; clients see the latter."""
    labels = ["replica", "model", "request"]
    family = GaugeMetricFamily(
        "oxlo_replica_warm_up_seconds", "The first warm-up request, and the later.", labels=labels
    )
    for replica in replicas.replicas:
        for request, took in (("first", replica.first_ms), ("later", replica.warm_ms)):
            if took is not None:
                family.add_metric([replica.id, replica.model, request], took / 1000)
    return family


def replica_memory(replicas: ReplicaList, memory: Mapping[str, int]) -> Metric:
    """Memory of the processes of each replica, in bytes by replica id; of the GPU, nothing."""
    family = GaugeMetricFamily(
        "oxlo_replica_memory_bytes", "Memory of its processes.", labels=["replica", "model"]
    )
    for replica in replicas.replicas:
        if replica.id in memory:
            family.add_metric([replica.id, replica.model], memory[replica.id])
    return family


def _plain(
    kind: type[CounterMetricFamily] | type[GaugeMetricFamily],
    figures: Iterable[tuple[str, Iterable[tuple[str, dict[str, str], float]]]],
) -> Iterator[Metric]:
    # `add_metric` requires the same labels for all samples of a name; gateways of two versions may
    # differ, so samples are added one by one.
    by_name: dict[str, Metric] = {}
    for gateway, rows in figures:
        for name, labels, value in rows:
            family = by_name.setdefault(name, kind(name, _help(name)))
            suffix = "_total" if kind is CounterMetricFamily else ""
            family.add_sample(family.name + suffix, {"gateway": gateway, **labels}, value)
    yield from by_name.values()


def _histograms(snapshots: Iterable[GatewaySnapshot]) -> Iterator[Metric]:
    by_name: dict[str, Metric] = {}
    for snapshot in snapshots:
        for name, labels, histogram in snapshot.histograms:
            family = by_name.setdefault(name, HistogramMetricFamily(name, _help(name)))
            _add(family, {"gateway": snapshot.gateway, **labels}, histogram)
    yield from by_name.values()


def _add(family: Metric, labels: Labels, histogram: Buckets) -> None:
    for bound, count in histogram.bounds():
        family.add_sample(f"{family.name}_bucket", {**labels, "le": bound}, count)
    family.add_sample(f"{family.name}_count", dict(labels), histogram.count)
    family.add_sample(f"{family.name}_sum", dict(labels), histogram.sum)


def _help(name: str) -> str:
    return _HELP.get(name, "A figure of a gateway.")


def _bound(le: str | float) -> str:
    return le if isinstance(le, str) else ("+Inf" if le == float("inf") else str(float(le)))


#: Help texts of the metrics in gateways' snapshots.
_HELP = {
    "oxlo_requests_total": "Calls that ended, by model, plan, endpoint, outcome and status.",
    "oxlo_fallbacks_total": "Calls that another model of their caller's choice took over, by code.",
    "oxlo_key_lookups_total": "Calls that waited while their key was looked up.",
    "oxlo_denied_total": "Calls turned away before admission, by error code.",
    "oxlo_tokens_total": "Tokens of calls that ended, by model and kind.",
    "oxlo_errors_total": "Calls of known accounts that ended with an error, by plan and code.",
    "oxlo_streamed_tokens_total": "Tokens of streams; divided by their seconds, the output speed.",
    "oxlo_streaming_seconds_total": "Time from the first token of streams to their end.",
    "oxlo_gateway_cpu_seconds_total": "CPU time of a gateway's process.",
    "oxlo_gateway_memory_bytes": "Resident memory of a gateway's process.",
    "oxlo_gateway_descriptors": "Open file descriptors of a gateway's process.",
    "oxlo_replica_broken": "Whether a gateway keeps calls away from a replica that failed.",
    "oxlo_queue_seconds": "Time that calls waited for a slot.",
    "oxlo_first_token_seconds": "Time from a call's arrival to its engine's first token.",
    "oxlo_call_seconds": "Time from a call's arrival to its end.",
    "oxlo_calls_running": "Calls that are running.",
    "oxlo_connections": "Open client connections.",
    "oxlo_connections_most": "Limit of open connections, above which idle ones are closed.",
    "oxlo_connections_crowded_total": "Connections closed or refused to make room for others.",
    "oxlo_body_memory_free_bytes": "Memory left for request bodies.",
    "oxlo_queue_length": "Calls that wait for a slot, by model.",
    "oxlo_slots": "Slots of a replica.",
    "oxlo_slots_in_use": "Slots of a replica that are taken.",
    "oxlo_journal_records_total": "Records written to the journal.",
    "oxlo_journal_bytes_total": "Bytes written to the journal.",
    "oxlo_journal_errors_total": "Writes to the journal that failed.",
    "oxlo_journal_dropped_total": "Records lost because the journal could not be written.",
    "oxlo_limits_store_up": "Whether the store of the limits is available (Valkey, if configured).",
    "oxlo_limits_store_failures_total": "Operations that failed in Valkey.",
    "oxlo_journal_writable": "Whether records reach the disk.",
    "oxlo_certificate_expiry_timestamp_seconds": "When the certificate in use expires.",
}
