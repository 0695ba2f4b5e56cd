"""The metrics of a gateway that worked, and the queries of the shipped dashboard."""

import asyncio
import fnmatch
import json
import os
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import httpx2
from prometheus_client.parser import text_string_to_metric_families
from tests.certificates import self_signed
from tests.gateway.conftest import Platform, Start, stop_the_clock
from tests.waiting import PATIENCE

from oxlo.asgi import unixserver
from oxlo.control import context, jobs, public
from oxlo.fleet.footprint import memory_bytes
from oxlo.gateway.admin import Admin
from oxlo.gateway.certificate import Certificate
from oxlo.gateway.http import protocols
from oxlo.gateway.server import Server
from oxlo.store import migrate
from oxlo.store.database import Database
from oxlo.testing.engine import Script

DEPLOY = Path(__file__).parents[2] / "deploy"
_NAME = re.compile(r"\boxlo_[a-z_]+\b")
#: Labels, strings and functions hold words, too; metrics are what stands before `{`, `[`, `)`...
_MATCHERS = re.compile(r"\{[^}]*\}|\"[^\"]*\"")

#: Of a histogram's samples.
_SUFFIX = re.compile(r"_(?:bucket|sum|count)$")

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


async def scrape(platform: Platform) -> Samples:
    """Everything that control tells of itself and of the gateway, over real sockets."""
    gateway, settings = platform.gateway, platform.gateway.settings
    admin = Server(
        Admin(gateway), settings, gateway.server.budget, gateway.clock, gateway.request_ids.assign
    )
    socket = str(settings.gateway_socket("g1"))
    listener = await asyncio.get_running_loop().create_unix_server(protocols(admin), socket)
    platform.on_end(listener.close)
    database = Database(settings.database)
    await migrate.prepare(database)
    stop, path = asyncio.Event(), settings.run_dir / "scraped.sock"
    control = context.build(settings, database)
    assert await jobs.attempt(control, "drain", control.drain.run)
    app = public.app(control)
    serving = asyncio.create_task(unixserver.serve(app, unixserver.bind(path), stop))
    transport = httpx2.AsyncHTTPTransport(uds=str(path))
    given = {"base_url": "http://control", "timeout": PATIENCE}
    async with httpx2.AsyncClient(transport=transport, **given) as client:
        reply = await client.get("/metrics", headers={"x-oxlo-local": "1"})
    stop.set()
    await serving
    await database.close()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(reply.text)
        for sample in family.samples
    }


async def work(platform: Platform) -> None:
    """Some of everything: answers, a stream, a refusal, a failure, a stranger."""
    key = platform.control.mint("free", "acct_f")
    stop_the_clock(platform)
    platform.engine.default = Script(prompt_tokens=9, cached_tokens=4, delay=0.005)
    for stream in (True, True, False):
        assert (await platform.chat(key=key, stream=stream)).status == 200
    platform.engine.next.append(Script(status=500))
    assert (await platform.chat(key=key)).status == 502
    assert [(await platform.chat(key=key)).status for _ in range(3)] == [200, 200, 429]
    assert (await platform.chat(key="sk_nobody")).status == 401


def total(samples: Samples, name: str, **labels: str) -> float:
    return sum(
        value
        for (found, pairs), value in samples.items()
        if found == name and labels.items() <= dict(pairs).items()
    )


def asked(value: Any) -> Iterator[str]:
    """Every query of a dashboard."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in ("expr", "definition") and isinstance(inner, str):
                yield inner
            else:
                yield from asked(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from asked(inner)


def metric_cells() -> Iterator[str]:
    """The first cells of the documentation's table of metrics."""
    page = (DEPLOY.parent / "docs" / "observability.md").read_text()
    for line in page.partition("| metric | meaning |")[2].splitlines()[2:]:
        if not line.startswith("|"):
            return
        yield line.split("|")[1]


def names(text: str) -> set[str]:
    return set(_NAME.findall(_MATCHERS.sub("", text)))


async def test_dashboard_and_alerts_know_what_is_there(start: Start, tmp_path: Path) -> None:
    """Each metric that they use is in a scrape of a gateway that worked."""
    platform = await start()
    platform.replicas(platform.engine, pid=os.getpid())
    platform.gateway.certificate = Certificate(*self_signed(tmp_path))
    await work(platform)
    there = {name for name, _ in await scrape(platform)}
    if memory_bytes(os.getpid()) is None:  # the system does not tell
        there.add("oxlo_replica_memory_bytes")
    dashboard = json.loads((DEPLOY / "grafana" / "oxlo.json").read_text())
    queries = [*asked(dashboard), (DEPLOY / "alerts.yml").read_text()]
    used = set().union(*map(names, queries))
    assert len(used) > 20
    assert used <= there, used - there


async def test_documented_metrics_are_those_there(start: Start, tmp_path: Path) -> None:
    """Each metric of a scrape has its row in the documentation, and no row is left over."""
    platform = await start()
    platform.replicas(platform.engine, first_ms=40.0, warm_ms=30.0, pid=os.getpid())
    platform.gateway.certificate = Certificate(*self_signed(tmp_path))
    await work(platform)
    assert (await platform.chat(model="smollm2-135m", models=["double"])).status == 200
    samples = {name for name, _ in await scrape(platform)}
    there = {_SUFFIX.sub("", name) for name in samples if not name.endswith("_created")}
    told = re.findall(r"`(oxlo_[a-z_]+\*?)`", "".join(metric_cells()))
    assert [name for name in there if not any(fnmatchcase(name, row) for row in told)] == []
    if memory_bytes(os.getpid()) is None:  # the system does not tell
        told.remove("oxlo_replica_memory_bytes")
    assert [row for row in told if not fnmatch.filter(there, row)] == []


async def test_figures(start: Start) -> None:
    """By plan and outcome, tokens and caches, errors by code, the speed of streams, the process."""
    platform = await start()
    await work(platform)
    samples = await scrape(platform)
    answered = {"model": "double", "plan": "free", "outcome": "answered", "status": "200"}
    assert total(samples, "oxlo_requests_total", **answered) == 5
    assert total(samples, "oxlo_tokens_total", kind="cached") == 5 * 4
    assert total(samples, "oxlo_errors_total", plan="free", code="minute_limit_exceeded") == 1
    assert total(samples, "oxlo_errors_total", plan="free", code="engine_failed") == 1
    assert total(samples, "oxlo_key_lookups_total") == 1
    assert total(samples, "oxlo_denied_total", code="invalid_api_key") == 1
    tokens = total(samples, "oxlo_streamed_tokens_total", model="double")
    assert tokens == 2 * total(samples, "oxlo_tokens_total", kind="completion") / 5
    assert total(samples, "oxlo_streaming_seconds_total", model="double") > 0
    assert total(samples, "oxlo_slots_in_use") == 0
    assert total(samples, "oxlo_gateway_cpu_seconds_total") > 0
    assert total(samples, "oxlo_control_database_up") == 1
