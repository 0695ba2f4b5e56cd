"""`/metrics` over a real unix socket, with a gateway's admin socket behind it."""

import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from oxlo.control.context import Control

Serving = Callable[[Starlette, Path], AbstractAsyncContextManager[httpx2.AsyncClient]]

LOCAL = {"x-oxlo-local": "1"}


async def _snapshot(_request: Request) -> JSONResponse:
    counters = [["oxlo_requests_total", {"model": "m"}, 7]]
    return JSONResponse({"gateway": "g1", "started": 1.0, "counters": counters})


async def _nonsense(_request: Request) -> JSONResponse:
    return JSONResponse({"hello": "world"})


async def _read(client: httpx2.AsyncClient) -> dict[str, str]:
    reply = await client.get("/metrics", headers=LOCAL)
    assert reply.status_code == 200
    return dict(line.rsplit(" ", 1) for line in reply.text.splitlines() if line[0] != "#")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"x-oxlo-local": "0"}, 403),
        ({"authorization": "Bearer wrong"}, 403),
        ({"authorization": "Bearer"}, 403),
        ({"authorization": "Bearer open-sesame"}, 200),
        (LOCAL, 200),
    ],
)
async def test_who_may_read(
    public_client: httpx2.AsyncClient, headers: dict[str, str], status: int
) -> None:
    """Local peers and those with the token; the error tells others how."""
    reply = await public_client.get("/metrics", headers=headers)
    assert reply.status_code == status
    assert status == 200 or "OXLO_METRICS_TOKEN" in reply.json()["error"]["message"]


async def test_gateway_is_asked(
    control: Control, public_client: httpx2.AsyncClient, serving: Serving
) -> None:
    """The response has the metrics of gateways and of control."""
    app = Starlette(routes=[Route("/snapshot", _snapshot)])
    async with serving(app, control.settings.gateway_socket("g1")):
        metrics = await _read(public_client)
    assert metrics['oxlo_requests_total{gateway="g1",model="m"}'] == "7.0"
    assert "oxlo_control_process_resident_memory_bytes" in metrics
    assert metrics["oxlo_control_gateway_scrape_errors_total"] == "0.0"


async def test_bad_gateways_are_counted(
    control: Control, public_client: httpx2.AsyncClient, serving: Serving
) -> None:
    """Gateways that do not answer, or answer garbage, are skipped and counted."""
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    dead.bind(str(control.settings.gateway_socket("dead")))
    dead.close()
    app = Starlette(routes=[Route("/snapshot", _nonsense)])
    async with serving(app, control.settings.gateway_socket("odd")):
        metrics = await _read(public_client)
    assert metrics["oxlo_control_gateway_scrape_errors_total"] == "2.0"


async def test_database_that_is_gone_is_told(
    control: Control, public_client: httpx2.AsyncClient
) -> None:
    """The gauge follows the latest transaction."""
    file = control.settings.home / "oxlo.db"
    await control.database.close()
    aside = file.rename(file.with_name("aside"))
    file.mkdir()
    for up in ("0.0", "1.0"):
        assert ((await public_client.get("/status.json")).status_code == 200) is (up == "1.0")
        assert (await _read(public_client))["oxlo_control_database_up"] == up
        if file.is_dir():
            file.rmdir()
            aside.rename(file)
