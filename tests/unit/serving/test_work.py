"""Where an engine's work is done: in a thread, or at once by the loop that nobody else needs."""

import asyncio
import threading

import pytest
from starlette.requests import Request
from tests.waiting import PATIENCE

from oxlo.errors import BadRequest
from oxlo.serving.work import Cancelled, Job, Tell, Workers


async def _silent() -> dict[str, object]:
    """What comes from a caller who waits."""
    await asyncio.Event().wait()
    return {}


async def test_work_in_a_thread_and_at_once() -> None:
    """Both are counted as progress, and neither is under way afterwards."""
    workers, here = Workers(2), threading.get_ident()
    request = Request({"type": "http"}, _silent)
    assert await workers.run(request, lambda _: threading.get_ident()) != here
    assert workers.at_once(lambda _: threading.get_ident()) == here
    assert (workers.busy, workers.steps) == (0, 4)


async def test_what_is_told_comes_before_the_work_is_done() -> None:
    """Each piece is there when it was told; what goes wrong later is raised then."""
    workers, gate = Workers(1), threading.Event()

    def work(job: Job, tell: Tell) -> None:
        tell(b"first")
        gate.wait(PATIENCE)
        tell(b"second")
        raise BadRequest("no")

    pieces = workers.told(work)
    assert await anext(pieces) == b"first"
    gate.set()
    assert await anext(pieces) == b"second"
    with pytest.raises(BadRequest):
        await anext(pieces)
    assert workers.busy == 0


async def test_who_stops_listening_is_told_nothing_more() -> None:
    """The work ends at its next step."""
    workers, gate, ended = Workers(1), threading.Event(), threading.Event()

    def work(job: Job, tell: Tell) -> None:
        try:
            tell(b"first")
            gate.wait(PATIENCE)
            job.step()
        except Cancelled:
            ended.set()
            raise

    pieces = workers.told(work)
    await anext(pieces)
    await pieces.aclose()
    gate.set()
    assert await asyncio.to_thread(ended.wait, 10)
    assert workers.busy == 0
