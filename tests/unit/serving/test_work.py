"""Where an engine's work is done: in a thread, or at once by the loop that nobody else needs."""

import asyncio
import threading

import pytest
from starlette.requests import Request

from oxlo.errors import BadRequest
from oxlo.serving.work import Cancelled, Job, Tell, Workers


async def _silent() -> dict[str, object]:
    """What comes from a caller who waits."""
    await asyncio.Event().wait()
    return {}


async def where(workers: Workers, *, brief: bool) -> int:
    """The thread that a call's work was done in."""
    request = Request({"type": "http"}, _silent)
    return await workers.run(request, lambda _: threading.get_ident(), brief=brief)


async def test_a_brief_call_alone_is_done_at_once() -> None:
    """No thread is woken for it; others' calls are done in one."""
    workers, here = Workers(2), threading.get_ident()
    assert await where(workers, brief=True) == here
    assert await where(workers, brief=False) != here
    assert (workers.busy, workers.steps) == (0, 4)


async def test_brief_calls_that_come_together_share_a_run() -> None:
    """In threads, where one leads: the loop would do one after the other."""
    workers, here = Workers(3), threading.get_ident()
    seen = await asyncio.gather(*(where(workers, brief=True) for _ in range(3)))
    assert here not in seen


async def test_brief_work_beside_other_work() -> None:
    """The loop stays free for the caller who is there already."""
    workers, gate = Workers(2), threading.Event()
    request = Request({"type": "http"}, _silent)
    long = asyncio.create_task(workers.run(request, lambda _: gate.wait(10)))
    await asyncio.sleep(0)
    assert await where(workers, brief=True) != threading.get_ident()
    gate.set()
    assert await long


async def test_what_is_told_comes_before_the_work_is_done() -> None:
    """Each piece is there when it was told; what goes wrong later is raised then."""
    workers, gate = Workers(1), threading.Event()

    def work(job: Job, tell: Tell) -> None:
        tell(b"first")
        gate.wait(10)
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
            gate.wait(10)
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
