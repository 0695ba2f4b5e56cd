"""An engine's work: bounded, counted, and given up when nobody waits for it any more."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from starlette.requests import Request

T = TypeVar("T")
#: Hands a piece of a reply over, from the thread that made it.
Tell = Callable[[bytes], None]


class Cancelled(Exception):
    """Nobody waits for this work any more."""


class Job:
    """One call's work, as the code that does it sees it."""

    def __init__(self, workers: "Workers") -> None:
        self._workers = workers
        self.cancelled = False

    def step(self) -> None:
        """A step is done: that is progress. Raises Cancelled when the caller has gone."""
        self._workers.moved()
        self.check()

    def check(self) -> None:
        """Raise Cancelled when the caller has gone."""
        if self.cancelled:
            raise Cancelled


class Workers:
    """Threads for blocking work, as many as there are slots."""

    def __init__(self, slots: int) -> None:
        self._threads = ThreadPoolExecutor(slots, thread_name_prefix="work")
        #: Calls under way or waiting for a thread, and steps done: what health is judged by.
        self.busy = 0
        self.steps = 0

    def moved(self) -> None:
        """A step of somebody's work is done."""
        self.steps += 1

    async def run(self, request: Request, work: Callable[[Job], T]) -> T:
        """Do `work` in a thread; the request's body has to be read before. Raises Cancelled."""
        job = Job(self)
        self.busy += 1
        leaving = asyncio.create_task(_cancel_when_gone(request, job))
        try:
            return await self._in_thread(lambda: _begin(job, work))
        finally:
            leaving.cancel()
            self.busy -= 1

    def at_once(self, work: Callable[[Job], T]) -> T:
        """Do `work` right here, in the loop's own thread, which does nothing else meanwhile."""
        self.busy += 1
        try:
            return _begin(Job(self), work)
        finally:
            self.busy -= 1

    async def stream(self, work: Callable[[Job], Iterator[bytes]]) -> AsyncIterator[bytes]:
        """The pieces of `work`, each made in a thread; closing the iterator cancels it."""
        job = Job(self)
        pieces = work(job)
        self.busy += 1
        try:
            while (piece := await self._in_thread(lambda: next(pieces, None))) is not None:
                job.step()
                yield piece
        finally:
            job.cancelled = True
            self.busy -= 1

    async def told(self, work: Callable[[Job, Tell], None]) -> AsyncIterator[bytes]:
        """What `work` tells while it is done in one thread; closing the iterator cancels it."""
        job, pieces = Job(self), asyncio.Queue[bytes | None]()
        loop = asyncio.get_running_loop()

        def tell(piece: bytes) -> None:
            loop.call_soon_threadsafe(pieces.put_nowait, piece)

        def done() -> None:
            with contextlib.suppress(Cancelled):  # nobody listens any more
                _begin(job, lambda job: work(job, tell))

        self.busy += 1
        working = asyncio.ensure_future(self._in_thread(done))
        working.add_done_callback(lambda _: pieces.put_nowait(None))
        try:
            while (piece := await pieces.get()) is not None:
                yield piece
            await working
        finally:
            job.cancelled = True
            self.busy -= 1

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _begin(job: Job, work: Callable[[Job], T]) -> T:
    job.step()  # who left while waiting for a thread is not worked for
    result = work(job)
    job.step()
    return result


async def _cancel_when_gone(request: Request, job: Job) -> None:
    await gone(request)
    job.cancelled = True


async def gone(request: Request) -> None:
    """Return when the caller has left; the request's body has to be read before."""
    with contextlib.suppress(RuntimeError):  # the body was a stream that ended with its client
        while (await request.receive())["type"] != "http.disconnect":
            pass
