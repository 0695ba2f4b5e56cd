"""Exporting calls as traces over OTLP/HTTP, if an endpoint is configured.

Control makes the traces from drained journal records, so that they cost gateways nothing.
"""

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from oxlo import __version__
from oxlo.control.segments import CallRecord
from oxlo.control.spans import Span, traces
from oxlo.settings import Settings, SettingsError

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider

_PATH = "/v1/traces"


class Traces:
    """Exports records as traces; does nothing without an endpoint."""

    def __init__(self, provider: "TracerProvider | None") -> None:
        self._provider = provider

    @classmethod
    def of(cls, settings: Settings) -> "Traces":
        """Create from settings. Raises SettingsError if the extra `otel` is needed and missing."""
        if not settings.otlp_endpoint:
            return cls(None)
        try:
            return cls(_provider(settings))
        except ImportError:
            raise SettingsError(
                "OXLO_OTLP_ENDPOINT needs the extra otel: pip install 'oxlo[otel]'"
            ) from None

    def export(self, records: Iterable[CallRecord]) -> None:
        """Queue spans of ended calls; a thread of the SDK sends them in batches."""
        if self._provider is None:
            return
        tracer = self._provider.get_tracer("oxlo", __version__)
        for trace in traces(records):
            _record(tracer, trace.root, _parent(trace.parent))

    async def close(self) -> None:
        """Send queued spans and stop."""
        if self._provider is not None:
            await asyncio.to_thread(self._provider.shutdown)


def _provider(settings: Settings) -> "TracerProvider":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    address = settings.otlp_endpoint.rstrip("/")
    address = address if address.endswith(_PATH) else address + _PATH
    exporter = OTLPSpanExporter(endpoint=address, headers=_headers(settings.otlp_headers))
    resource = Resource.create({"service.name": "oxlo", "service.version": __version__})
    # Control shuts the provider down itself; `atexit` would do it a second time.
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _headers(pairs: Iterable[str]) -> dict[str, str]:
    """Parse `name=value` pairs. Raises SettingsError, without values, which may be secrets."""
    headers = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not name.strip() or not separator:
            raise SettingsError("OXLO_OTLP_HEADERS takes name=value, with commas between")
        headers[name.strip()] = value.strip()
    return headers


def _parent(traceparent: str) -> "Context":
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier = {"traceparent": traceparent} if traceparent else {}
    return TraceContextTextMapPropagator().extract(carrier, Context())


def _record(tracer: Any, span: Span, context: "Context") -> None:
    from opentelemetry import trace

    exported = tracer.start_span(
        span.name,
        context,
        kind=trace.SpanKind[span.kind.upper()],
        attributes=span.attributes,
        start_time=span.start,
    )
    if span.error:
        exported.set_attribute("error.type", span.error)
        exported.set_status(trace.StatusCode.ERROR)
    for child in span.children:
        _record(tracer, child, trace.set_span_in_context(exported, context))
    exported.end(span.end)
