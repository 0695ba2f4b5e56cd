"""Continuous batching: texts of concurrent requests share runs of the model.

A request that finds the model idle runs it immediately in its own thread, so a lone request never
waits. Requests that arrive meanwhile wait. After each run, the next batch is chosen from all
pending texts; a request that is complete hands the lead over to a waiting one.
"""

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from oxlo.engines.embedding.batching import Costs, choose
from oxlo.engines.embedding.encoder import RunFailed, Vectors
from oxlo.serving.work import Job

Rows = Sequence[Sequence[int]]


class _Request:
    """A request's pending texts, and the vectors of the others."""

    def __init__(self, job: Job, rows: Rows) -> None:
        self.job = job
        self.rows = rows
        #: Indices of the pending texts, shortest first, and their lengths.
        self.pending = sorted(range(len(rows)), key=lambda index: len(rows[index]))
        self.lengths = [len(rows[index]) for index in self.pending]
        self.missing = len(rows)
        self.vectors: Vectors | None = None
        self.failed = False
        #: Whether its thread runs the batches, for all requests.
        self.leads = False
        #: Set when the request is complete or has to take the lead.
        self.wakeup: threading.Event | None = None

    @property
    def done(self) -> bool:
        return self.failed or self.job.cancelled or not self.missing

    def take(self, place: int) -> int:
        """Remove a text from the pending ones and return its index."""
        del self.lengths[place]
        return self.pending.pop(place)

    def wake(self) -> None:
        """Wake the waiting thread."""
        if self.wakeup is not None:
            self.wakeup.set()

    def receive(self, index: int, vector: Vectors) -> None:
        if self.vectors is None:
            self.vectors = np.empty((len(self.rows), len(vector)), np.float32)
        self.vectors[index] = vector
        self.missing -= 1


#: The texts of a run, as request and index of the text in it.
_Batch = list[tuple[_Request, int]]


class Batcher:
    """Runs one batch at a time, for any number of concurrent requests; thread-safe."""

    def __init__(
        self, encode: Callable[[Rows], Vectors], costs: Costs, on_run: Callable[[], None]
    ) -> None:
        """`on_run` is called after each run, to record progress."""
        self._encode = encode
        self._costs = costs
        self._on_run = on_run
        self._lock = threading.Lock()
        #: Requests with pending texts, in round-robin order.
        self._queue: deque[_Request] = deque()
        #: Requests whose threads are blocked.
        self._blocked: deque[_Request] = deque()
        self._running = False

    def vectors(self, job: Job, rows: Rows) -> Vectors:
        """Return the vectors of `rows`, in order. Raises Cancelled or RunFailed."""
        if len(rows) == 1 and self._acquire_lead():
            return self._run_single(job, rows)
        request = _Request(job, rows)
        self._enqueue(request)
        if request.wakeup is not None:
            request.wakeup.wait()
        if request.leads:
            self._lead(request)
        job.check()
        if request.vectors is None or request.failed:
            raise RunFailed
        return request.vectors

    def _acquire_lead(self) -> bool:
        """Take the lead if the model is idle; the caller then has to hand it over."""
        with self._lock:
            idle = not self._running
            self._running = True
        return idle

    def _run_single(self, job: Job, rows: Rows) -> Vectors:
        """Run one text without sharing, which skips the bookkeeping."""
        try:
            vectors = self._encode(rows)
        finally:
            with self._lock:
                self._hand_over()
        self._on_run()
        job.check()
        return vectors

    def _enqueue(self, request: _Request) -> None:
        with self._lock:
            self._queue.append(request)
            if self._running:
                request.wakeup = threading.Event()
                self._blocked.append(request)
            else:
                self._running = request.leads = True

    def _lead(self, request: _Request) -> None:
        try:
            while not request.done:
                self._run()
        finally:
            with self._lock:
                self._finish(request)
                self._hand_over()

    def _run(self) -> None:
        with self._lock:
            batch = self._next_batch()
        vectors = None
        try:
            if batch:
                with contextlib.suppress(RunFailed):  # _deliver fails the affected requests
                    vectors = self._encode([request.rows[index] for request, index in batch])
        finally:
            self._deliver(batch, vectors)
        self._on_run()

    def _next_batch(self) -> _Batch:
        """Take the texts of the next run, without those of cancelled requests."""
        for request in [request for request in self._queue if request.done]:
            self._finish(request)
        if not self._queue:
            return []
        requests = list(self._queue)
        pieces = choose([request.lengths for request in requests], self._costs)
        # Texts come longest first, so taking one does not shift the places of the next.
        batch = [
            (requests[piece.request], requests[piece.request].take(piece.place)) for piece in pieces
        ]
        self._queue.rotate(-1)
        for request in [request for request in self._queue if not request.pending]:
            self._queue.remove(request)
        return batch

    def _deliver(self, batch: _Batch, vectors: Vectors | None) -> None:
        for place, (request, index) in enumerate(batch):
            if vectors is None:
                request.failed = True
            else:
                request.receive(index, vectors[place])
        with self._lock:
            for request in {request for request, _ in batch if request.done}:
                self._finish(request)

    def _finish(self, request: _Request) -> None:
        """Drop a request that is done, and wake its thread."""
        if request in self._queue:
            self._queue.remove(request)
        if request in self._blocked:
            self._blocked.remove(request)
            request.wake()

    def _hand_over(self) -> None:
        """Pass the lead to a blocked request; if that is done, it passes it on."""
        if not self._blocked:
            self._running = False
            return
        successor = self._blocked.popleft()
        successor.leads = True
        successor.wake()
