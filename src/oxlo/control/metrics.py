"""`GET /metrics`: the metrics of every process, in Prometheus' format."""

import asyncio
import hmac
from collections.abc import Iterator
from pathlib import Path

import structlog
from prometheus_client import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry
from starlette.requests import Request
from starlette.responses import Response

from oxlo.control import scrape, snapshots
from oxlo.control.context import Control
from oxlo.control.snapshots import GatewaySnapshot
from oxlo.errors import Forbidden
from oxlo.fleet import footprint, registry
from oxlo.fleet.registry import ReplicaList

#: Set by the gateway for peers on loopback without a proxy in between.
LOCAL_HEADER = "x-oxlo-local"

log = structlog.get_logger()


class _Others(Collector):
    """The metrics of gateways and replicas, as just read."""

    def __init__(
        self, gateways: list[GatewaySnapshot], replicas: ReplicaList, memory: dict[str, int]
    ) -> None:
        self._gateways = gateways
        self._replicas = replicas
        self._memory = memory

    def collect(self) -> Iterator[Metric]:
        yield from snapshots.families(self._gateways)
        yield snapshots.replica_states(self._replicas)
        yield from snapshots.replicas_wanted(self._replicas)
        yield snapshots.replica_warmth(self._replicas)
        yield snapshots.replica_memory(self._replicas, self._memory)


async def endpoint(request: Request) -> Response:
    """Answer with all metrics. Raises Forbidden."""
    control = Control.of(request)
    if not allowed(request, control.settings.metrics_token):
        raise Forbidden(
            "Metrics are read from the machine itself, or with 'Authorization: Bearer TOKEN' "
            "after the operator has set OXLO_METRICS_TOKEN.",
            code="metrics_denied",
        )
    gateway_snapshots = await gateways(control)
    replicas = await asyncio.to_thread(registry.read, control.settings.replicas_file)
    others = CollectorRegistry()
    memory = await asyncio.to_thread(footprint.by_replica, replicas.replicas)
    others.register(_Others(gateway_snapshots, replicas, memory))
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(_Both(control, others)), headers={"content-type": content_type})


def allowed(request: Request, token: str) -> bool:
    """Whether the gateway marked the peer as local, or it sent the operator's token."""
    if request.headers.get(LOCAL_HEADER) == "1":
        return True
    sent = request.headers.get("authorization", "")
    return bool(token) and hmac.compare_digest(sent.encode(), f"Bearer {token}".encode())


class _Both(Collector):
    """Control's own metrics, followed by those of the other processes."""

    def __init__(self, control: Control, others: CollectorRegistry) -> None:
        self._registries = (control.metrics.registry, others)

    def collect(self) -> Iterator[Metric]:
        for each in self._registries:
            yield from each.collect()


async def gateways(control: Control) -> list[GatewaySnapshot]:
    """Snapshots of this machine's gateways, except those that do not answer."""

    def failed(socket: Path, error: Exception) -> None:
        control.metrics.scrape_errors.inc()
        log.warning("gateway.no_snapshot", socket=socket.name, error=str(error))

    return await scrape.gateways(control.settings.run_dir, failed)
