"""A bounded thread pool for blocking work, with progress counters and cancellation."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from starlette.requests import Request

T = TypeVar("T")
#: Sends one chunk of a response from a worker thread.
Emit = Callable[[bytes], None]


class Cancelled(Exception):
    """The client has disconnected, so the work is abandoned."""


class Job:
    """Progress and cancellation of one request's work, as seen by the code that does it."""

    def __init__(self, workers: "Workers") -> None:
        self._workers = workers
        self.cancelled = False

    def step(self) -> None:
        """Record one step of progress. Raises Cancelled if the client has disconnected."""
        self._workers.progressed()
        self.check()

    def check(self) -> None:
        """Raise Cancelled if the client has disconnected."""
        if self.cancelled:
            raise Cancelled


class Workers:
    """A thread pool for blocking work, with one thread per slot."""

    def __init__(self, slots: int, begin: Callable[[], None] | None = None) -> None:
        """Create the pool; each of its threads calls `begin` first."""
        self._threads = ThreadPoolExecutor(slots, "work", initializer=begin)
        #: Requests running or waiting for a thread, and steps done; health checks read both.
        self.busy = 0
        self.steps = 0

    def progressed(self) -> None:
        """Record one step of progress."""
        self.steps += 1

    async def run(self, request: Request, work: Callable[[Job], T]) -> T:
        """Run `work` in a thread. The request's body must have been read. Raises Cancelled."""
        job = Job(self)
        self.busy += 1
        watcher = asyncio.create_task(_cancel_on_disconnect(request, job))
        try:
            return await self._in_thread(lambda: _begin(job, work))
        finally:
            watcher.cancel()
            self.busy -= 1

    def run_inline(self, work: Callable[[Job], T]) -> T:
        """Run `work` in the event loop's own thread, blocking the loop."""
        self.busy += 1
        try:
            return _begin(Job(self), work)
        finally:
            self.busy -= 1

    async def stream(self, work: Callable[[Job], Iterator[bytes]]) -> AsyncIterator[bytes]:
        """Stream chunks of `work`, each computed in a thread; closing the iterator cancels it."""
        job = Job(self)
        chunks = work(job)
        self.busy += 1
        try:
            while (chunk := await self._in_thread(lambda: next(chunks, None))) is not None:
                job.step()
                yield chunk
        finally:
            job.cancelled = True
            self.busy -= 1

    async def push_stream(self, work: Callable[[Job, Emit], None]) -> AsyncIterator[bytes]:
        """Stream the chunks `work` emits from a single thread; closing the iterator cancels it."""
        job, chunks = Job(self), asyncio.Queue[bytes | None]()
        loop = asyncio.get_running_loop()

        def emit(chunk: bytes) -> None:
            loop.call_soon_threadsafe(chunks.put_nowait, chunk)

        def run() -> None:
            with contextlib.suppress(Cancelled):  # the client is no longer reading
                _begin(job, lambda job: work(job, emit))

        self.busy += 1
        working = asyncio.ensure_future(self._in_thread(run))
        working.add_done_callback(lambda _: chunks.put_nowait(None))
        try:
            while (chunk := await chunks.get()) is not None:
                yield chunk
            await working
        finally:
            job.cancelled = True
            self.busy -= 1

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _begin(job: Job, work: Callable[[Job], T]) -> T:
    job.step()  # skip the work if the client left while it waited for a thread
    result = work(job)
    job.step()
    return result


async def _cancel_on_disconnect(request: Request, job: Job) -> None:
    await disconnected(request)
    job.cancelled = True


async def disconnected(request: Request) -> None:
    """Wait until the client disconnects. The request's body must have been read."""
    with contextlib.suppress(RuntimeError):  # a streamed body ended with its client
        while (await request.receive())["type"] != "http.disconnect":
            pass
