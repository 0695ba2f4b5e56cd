"""Work in threads and in the event loop, progress and cancellation."""

import asyncio
import threading

import pytest
from starlette.requests import Request
from tests.waiting import PATIENCE

from oxlo.errors import BadRequest
from oxlo.serving.work import Cancelled, Emit, Job, Workers


async def _silent() -> dict[str, object]:
    """Receive nothing from a client that stays connected."""
    await asyncio.Event().wait()
    return {}


async def test_work_in_a_thread_and_inline() -> None:
    """Both are counted as progress, and neither stays busy afterwards."""
    workers, here = Workers(2), threading.get_ident()
    request = Request({"type": "http"}, _silent)
    assert await workers.run(request, lambda _: threading.get_ident()) != here
    assert workers.run_inline(lambda _: threading.get_ident()) == here
    assert (workers.busy, workers.steps) == (0, 4)


async def test_each_thread_begins_with_a_call() -> None:
    """Before its first work, in the thread itself."""
    begun: list[int] = []
    workers = Workers(1, begin=lambda: begun.append(threading.get_ident()))
    request = Request({"type": "http"}, _silent)
    assert [await workers.run(request, lambda _: threading.get_ident())] == begun


async def test_emitted_chunks_arrive_before_the_work_is_done() -> None:
    """Each chunk arrives as it is emitted; a later error is raised after them."""
    workers, gate = Workers(1), threading.Event()

    def work(job: Job, emit: Emit) -> None:
        emit(b"first")
        gate.wait(PATIENCE)
        emit(b"second")
        raise BadRequest("no")

    chunks = workers.push_stream(work)
    assert await anext(chunks) == b"first"
    gate.set()
    assert await anext(chunks) == b"second"
    with pytest.raises(BadRequest):
        await anext(chunks)
    assert workers.busy == 0


async def test_closing_the_stream_cancels_the_work() -> None:
    """The work ends at its next step."""
    workers, gate, ended = Workers(1), threading.Event(), threading.Event()

    def work(job: Job, emit: Emit) -> None:
        try:
            emit(b"first")
            gate.wait(PATIENCE)
            job.step()
        except Cancelled:
            ended.set()
            raise

    chunks = workers.push_stream(work)
    await anext(chunks)
    await chunks.aclose()
    gate.set()
    assert await asyncio.to_thread(ended.wait, PATIENCE)
    assert workers.busy == 0
