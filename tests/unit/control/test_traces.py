"""Traces over OTLP/HTTP, to a collector that is a plain HTTP server."""

import asyncio
import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import msgspec
import pytest

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests import databases

from oxlo.control import context
from oxlo.control.traces import Traces
from oxlo.settings import Settings, SettingsError
from oxlo.testing import journal

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector:
    """Records requests with their headers."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.tokens: list[str | None] = []
        self.spans: dict[str, object] = {}
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.take(self.path, self.headers.get("x-token"), body)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def take(self, path: str, token: str | None, body: bytes) -> None:
        self.paths.append(path)
        self.tokens.append(token)
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.spans |= {span.name: span for span in scope.spans}


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A running collector."""
    collector = Collector()
    thread = threading.Thread(target=collector.server.serve_forever)
    thread.start()
    yield collector
    collector.server.shutdown()
    thread.join()
    collector.server.server_close()


async def test_calls_are_sent(settings: Settings, collector: Collector) -> None:
    """A drained call is three nested spans in its client's trace."""
    given = Settings(
        home=settings.home, otlp_endpoint=collector.address, otlp_headers=("x-token=secret",)
    )
    record = msgspec.structs.replace(journal.settled("req_1"), trace=f"00-{TRACE}-{SPAN}-01")
    path = given.journal_dir / "gw-000001.jsonl"
    journal.append(path, journal.lines(journal.admitted("req_1"), record))
    async with databases.sqlite(given.database) as database:
        control = context.build(given, database)
        await control.drain.run()
        await control.traces.close()
    assert (collector.paths, collector.tokens) == (["/v1/traces"], ["secret"])
    root, queue, engine = (collector.spans[name] for name in ("call chat", "queue", "chat m"))
    assert {span.trace_id.hex() for span in (root, queue, engine)} == {TRACE}  # type: ignore[attr-defined]
    assert root.parent_span_id.hex() == SPAN  # type: ignore[attr-defined]
    assert queue.parent_span_id == engine.parent_span_id == root.span_id  # type: ignore[attr-defined]
    assert root.end_time_unix_nano == int(record.at) * 10**9  # type: ignore[attr-defined]


async def test_unsampled_callers(collector: Collector) -> None:
    """Traces that the client does not sample are not exported."""
    traces = Traces.of(Settings(otlp_endpoint=f"{collector.address}/v1/traces"))
    dark = msgspec.structs.replace(journal.settled("req_1"), trace=f"00-{TRACE}-{SPAN}-00")
    traces.export([dark, journal.refused("req_2")])
    await traces.close()
    (span,) = collector.spans.values()
    assert span.trace_id.hex() != TRACE  # type: ignore[attr-defined]


async def test_nobody_listens() -> None:
    """Without an endpoint nothing is exported; a dead one does not block."""
    off = Traces.of(Settings())
    off.export([journal.settled("req_1")])
    await off.close()
    with pytest.raises(SettingsError, match="name=value"):
        Traces.of(Settings(otlp_endpoint="http://127.0.0.1:9", otlp_headers=("secret",)))
    await asyncio.sleep(0)
