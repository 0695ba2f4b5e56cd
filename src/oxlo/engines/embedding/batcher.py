"""Runs texts together, whosever they are.

A call that finds nobody running runs at once, in its own thread: who comes alone never waits. Calls
that come meanwhile wait; at the end of each run the next one is chosen from all that is left, and a
call that has everything hands over to one that waits.
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


class _Call:
    """One call's texts: those still to run, and what became of the others."""

    def __init__(self, job: Job, rows: Rows) -> None:
        self.job = job
        self.rows = rows
        #: Numbers of the texts still to run, the shortest first, and their lengths.
        self.left = sorted(range(len(rows)), key=lambda number: len(rows[number]))
        self.lengths = [len(rows[number]) for number in self.left]
        self.missing = len(rows)
        self.vectors: Vectors | None = None
        self.failed = False
        #: Whether it runs texts, its own and others'.
        self.leads = False
        #: Where it waits: set when there is nothing left to wait for, or when it is to lead.
        self.news: threading.Event | None = None

    @property
    def over(self) -> bool:
        return self.failed or self.job.cancelled or not self.missing

    def take(self, place: int) -> int:
        """The number of a text, which is now under way."""
        del self.lengths[place]
        return self.left.pop(place)

    def wake(self) -> None:
        """There is news for it."""
        if self.news is not None:
            self.news.set()

    def receive(self, number: int, vector: Vectors) -> None:
        if self.vectors is None:
            self.vectors = np.empty((len(self.rows), len(vector)), np.float32)
        self.vectors[number] = vector
        self.missing -= 1


#: Texts of a run: a call, and the text's number in it.
_Batch = list[tuple[_Call, int]]


class Batcher:
    """One run at a time, of texts of any number of calls; for use from many threads."""

    def __init__(
        self, encode: Callable[[Rows], Vectors], costs: Costs, moved: Callable[[], None]
    ) -> None:
        """`moved` is called after each run: that is progress."""
        self._encode = encode
        self._costs = costs
        self._moved = moved
        self._lock = threading.Lock()
        #: Calls with texts still to run; the first is one that has waited longest for its turn.
        self._waiting: deque[_Call] = deque()
        #: Those that sleep until there is news for them.
        self._asleep: deque[_Call] = deque()
        self._running = False

    def vectors(self, job: Job, rows: Rows) -> Vectors:
        """The vectors of `rows`, in their order. Raises Cancelled or RunFailed."""
        if len(rows) == 1 and self._begin():
            return self._one(job, rows)
        call = _Call(job, rows)
        self._enter(call)
        if call.news is not None:
            call.news.wait()
        if call.leads:
            self._lead(call)
        job.check()
        if call.vectors is None or call.failed:
            raise RunFailed
        return call.vectors

    def _begin(self) -> bool:
        """Whether nobody runs texts; then the caller does, and has to hand over."""
        with self._lock:
            began = not self._running
            self._running = True
        return began

    def _one(self, job: Job, rows: Rows) -> Vectors:
        """A run of one text, with nobody to share it."""
        try:
            vectors = self._encode(rows)
        finally:
            with self._lock:
                self._hand_over()
        self._moved()
        job.check()
        return vectors

    def _enter(self, call: _Call) -> None:
        with self._lock:
            self._waiting.append(call)
            if self._running:
                call.news = threading.Event()
                self._asleep.append(call)
            else:
                self._running = call.leads = True

    def _lead(self, call: _Call) -> None:
        try:
            while not call.over:
                self._run()
        finally:
            with self._lock:
                self._forget(call)
                self._hand_over()

    def _run(self) -> None:
        with self._lock:
            batch = self._next()
        vectors = None
        try:
            if batch:
                with contextlib.suppress(RunFailed):  # told to those whose texts were in it
                    vectors = self._encode([call.rows[number] for call, number in batch])
        finally:
            self._deliver(batch, vectors)
        self._moved()

    def _next(self) -> _Batch:
        """The texts of the next run, taken; nobody's who has gone."""
        for call in [call for call in self._waiting if call.over]:
            self._forget(call)
        if not self._waiting:
            return []
        calls = list(self._waiting)
        pieces = choose([call.lengths for call in calls], self._costs)
        # A call's texts come the longest first, so that taking one leaves the next in its place.
        batch = [(calls[piece.call], calls[piece.call].take(piece.place)) for piece in pieces]
        self._waiting.rotate(-1)
        for call in [call for call in self._waiting if not call.left]:
            self._waiting.remove(call)
        return batch

    def _deliver(self, batch: _Batch, vectors: Vectors | None) -> None:
        for place, (call, number) in enumerate(batch):
            if vectors is None:
                call.failed = True
            else:
                call.receive(number, vectors[place])
        with self._lock:
            for call in {call for call, _ in batch if call.over}:
                self._forget(call)

    def _forget(self, call: _Call) -> None:
        """It is over: nothing of it is run any more, and it need not sleep."""
        if call in self._waiting:
            self._waiting.remove(call)
        if call in self._asleep:
            self._asleep.remove(call)
            call.wake()

    def _hand_over(self) -> None:
        """Let another lead, if there is one; it may be over, and hands over in its turn."""
        if not self._asleep:
            self._running = False
            return
        heir = self._asleep.popleft()
        heir.leads = True
        heir.wake()
