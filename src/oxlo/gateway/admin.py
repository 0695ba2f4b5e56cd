"""The private admin socket: counters for control, and draining."""

import contextlib
import resource
import time
from pathlib import Path
from typing import Any

import msgspec

from oxlo.errors import NotFound
from oxlo.gateway import headers
from oxlo.gateway.exchange import SILENT, Exchange, Handler
from oxlo.gateway.gateway import Gateway


class Admin:
    """Handles requests on the admin socket, which only this user can open."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def open(self, exchange: Exchange) -> Handler:
        """Answer the request immediately. Raises NotFound."""
        if (exchange.method, exchange.target) == (b"GET", b"/snapshot"):
            exchange.reply(200, headers.JSON, msgspec.json.encode(snapshot(self._gateway)))
        elif (exchange.method, exchange.target) == (b"POST", b"/drain"):
            self._gateway.start_draining()
            exchange.reply(202, headers.JSON, b"{}")
        else:
            raise NotFound("The admin socket has GET /snapshot and POST /drain.")
        return SILENT


def snapshot(gateway: Gateway) -> dict[str, Any]:
    """All metrics of a gateway (format in docs/architecture.md)."""
    return {
        "gateway": gateway.name,
        "started": gateway.started_at,
        "counters": gateway.metrics.counters() + _journal(gateway) + _others(gateway) + _spent(),
        "gauges": _gauges(gateway) + _held(),
        "histograms": gateway.metrics.histograms(),
    }


def _journal(gateway: Gateway) -> list[list[Any]]:
    journal = gateway.journal
    return [
        ["oxlo_journal_records_total", {}, journal.records],
        ["oxlo_journal_bytes_total", {}, journal.bytes],
        ["oxlo_journal_errors_total", {}, journal.errors],
        ["oxlo_journal_dropped_total", {}, journal.dropped],
    ]


def _others(gateway: Gateway) -> list[list[Any]]:
    return [
        ["oxlo_limits_store_failures_total", {}, gateway.ledger.health()[1]],
        ["oxlo_connections_crowded_total", {}, gateway.server.crowded],
    ]


def _spent() -> list[list[Any]]:
    return [["oxlo_gateway_cpu_seconds_total", {}, time.process_time()]]


def _held() -> list[list[Any]]:
    """Memory and open file descriptors of this process, where /proc provides them."""
    held: list[list[Any]] = []
    with contextlib.suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        held.append(["oxlo_gateway_memory_bytes", {}, pages * resource.getpagesize()])
    with contextlib.suppress(OSError):
        held.append(["oxlo_gateway_descriptors", {}, len(list(Path("/dev/fd").iterdir()))])
    return held


def _gauges(gateway: Gateway) -> list[list[Any]]:
    gauges: list[list[Any]] = [
        ["oxlo_calls_running", {}, len(gateway.calls)],
        ["oxlo_connections", {}, len(gateway.server.connections)],
        ["oxlo_connections_most", {}, gateway.server.most],
        ["oxlo_body_memory_free_bytes", {}, gateway.server.budget.free],
        ["oxlo_journal_writable", {}, int(not gateway.journal.failing)],
        ["oxlo_limits_store_up", {}, int(gateway.ledger.health()[0])],
    ]
    if gateway.certificate and gateway.certificate.ends:
        gauges.append(["oxlo_certificate_expiry_timestamp_seconds", {}, gateway.certificate.ends])
    for group in gateway.backends.groups():
        gauges.append(["oxlo_queue_length", {"model": group.model}, len(group.queue)])
        for backend in group.backends:
            labels = {"model": group.model, "replica": backend.id}
            gauges.append(["oxlo_slots", labels, backend.slots])
            gauges.append(["oxlo_slots_in_use", labels, backend.in_use])
            broken = backend.broken_until > gateway.clock()
            gauges.append(["oxlo_replica_broken", labels, int(broken)])
    return gauges
