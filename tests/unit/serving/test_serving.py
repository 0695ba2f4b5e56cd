"""The engine's process: API key, errors, progress and disconnects."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
from tests.processes import ending
from tests.waiting import PATIENCE

from oxlo.fleet.fetch import fetch

#: A minimal engine that waits for a line from a gate, or fails on request.
ENGINE = r"""
import sys, threading
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from oxlo.serving.app import Engine
from oxlo.serving.process import CannotLoad, main
from oxlo.serving.work import Job, Workers
from oxlo.errors import BadRequest

workers = Workers(1)

def work(job: Job) -> dict:
    for _ in range(3):
        job.step()
    return {"steps": workers.steps}

def endless(job: Job) -> dict:
    pause = threading.Event()
    while True:
        job.step()
        pause.wait(0.01)

async def ask(request: Request) -> JSONResponse:
    body = await request.json()
    if body["do"] == "refuse":
        raise BadRequest("no", param="do")
    if body["do"] == "crash":
        raise ZeroDivisionError
    return JSONResponse(await workers.run(request, endless if body["do"] == "hang" else work))

def load(line: bytes) -> Engine:
    if line == b"bad\n":
        raise CannotLoad("the weights are missing")
    memory_mb = 1 if line == b"small\n" else 0
    return Engine([Route("/ask", ask, methods=["POST"])], workers, "secret", memory_mb=memory_mb)

main(load)
"""

Process = subprocess.Popen[bytes]


def run(line: bytes) -> Process:
    command = [sys.executable, "-c", ENGINE]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)
    assert process.stdin is not None
    process.stdin.write(line)
    process.stdin.flush()
    return process


def said(process: Process) -> dict[str, str]:
    assert process.stdout is not None
    found: dict[str, str] = json.loads(process.stdout.readline())
    return found


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The engine's address."""
    with ending(run(b"good\n")) as process:
        yield said(process)["address"]


async def ask(address: str, what: str, key: str = "secret") -> tuple[int, dict[str, object]]:
    reply = await fetch(address, "/ask", body={"do": what}, api_key=key, deadline=PATIENCE)
    return reply.status, json.loads(reply.body)


async def busy(address: str) -> int:
    reply = await fetch(address, "/metrics", api_key="secret", deadline=PATIENCE)
    return int(reply.body.split()[1])


async def test_work_is_progress(address: str) -> None:
    """Steps are counted, so the fleet sees progress."""
    status, body = await ask(address, "work")
    assert status == 200
    assert int(str(body["steps"])) >= 4
    assert await busy(address) == 0


async def test_without_the_key(address: str) -> None:
    """Other local users cannot use the engine."""
    assert (await ask(address, "work", key="guess"))[0] == 401


async def test_refusals_are_openai_s_errors(address: str) -> None:
    """Message, type, code and parameter reach the gateway."""
    status, body = await ask(address, "refuse")
    assert status == 400
    assert body["error"] == {
        "message": "no", "type": "invalid_request_error", "param": "do", "code": "invalid_request",
    }  # fmt: skip


async def test_a_crash_has_no_trace(address: str) -> None:
    """The traceback is only logged."""
    status, body = await ask(address, "crash")
    assert status == 500
    assert "ZeroDivisionError" not in json.dumps(body)


async def test_a_disconnect_cancels_the_work(address: str) -> None:
    """The only slot is free again as soon as its client has disconnected."""
    hanging = asyncio.create_task(ask(address, "hang"))
    while await busy(address) == 0:
        await asyncio.sleep(0)
    hanging.cancel()
    assert (await ask(address, "work"))[0] == 200


def test_what_cannot_load_says_why() -> None:
    """In one line on stdout, with a nonzero exit status."""
    with ending(run(b"bad\n")) as process:
        assert said(process) == {"event": "failed", "reason": "the weights are missing"}
        assert process.wait(PATIENCE) == 1


def test_it_dies_with_its_parent() -> None:
    """It exits when its stdin is closed."""
    with ending(run(b"good\n")) as process:
        assert said(process)["event"] == "listening"
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(PATIENCE) == 0


async def test_it_exits_above_its_memory_limit() -> None:
    """After its request was answered; the fleet reads the reason and restarts it."""
    with ending(run(b"small\n")) as process:
        assert (await ask(said(process)["address"], "work"))[0] == 200
        told = await asyncio.to_thread(said, process)
        assert told["event"] == "failed"
        assert "over its 1 MB" in told["reason"]
        assert await asyncio.to_thread(process.wait, PATIENCE) == 0
