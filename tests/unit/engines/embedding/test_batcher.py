"""Shared runs, with an encoder that blocks until the test releases it."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest
from tests.waiting import PATIENCE

from oxlo.engines.embedding.batcher import Batcher, Rows
from oxlo.engines.embedding.batching import Costs
from oxlo.engines.embedding.encoder import RunFailed, Vectors
from oxlo.serving.work import Cancelled, Job, Workers


class Gated:
    """An encoder of texts to their first token and length; each run waits for `let`."""

    def __init__(self) -> None:
        self.workers = Workers(1)
        self.batcher = Batcher(self._encode, Costs(batch=40, run=4), self.workers.progressed)
        self.runs: list[list[list[int]]] = []
        self.failing = False
        self._began, self._through = threading.Semaphore(0), threading.Semaphore(0)
        self._threads = ThreadPoolExecutor(20)

    def ask(self, *rows: list[int], job: Job | None = None) -> "Future[Vectors]":
        return self._threads.submit(self.batcher.vectors, job or self.job(), rows)

    def job(self) -> Job:
        return Job(self.workers)

    def began(self) -> None:
        """Wait until a run is under way."""
        assert self._began.acquire(timeout=PATIENCE)

    def let(self, runs: int = 1) -> None:
        self._through.release(runs)

    def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            threading.Event().wait(0.001)

    def blocked(self, calls: int) -> None:
        """Wait until `calls` requests wait for another one's run."""
        self.until(lambda: len(self.batcher._blocked) == calls)

    def _encode(self, rows: Rows) -> Vectors:
        self.runs.append([list(row) for row in rows])
        self._began.release()
        assert self._through.acquire(timeout=PATIENCE)
        if self.failing:
            raise RunFailed
        return np.array([[row[0], len(row)] for row in rows], np.float32)

    def close(self) -> None:
        self.let(1000)
        self._threads.shutdown()


@pytest.fixture
def gated() -> Iterator[Gated]:
    made = Gated()
    yield made
    made.close()


def test_a_lone_request_runs_immediately(gated: Gated) -> None:
    """In one run, with the vectors in the order of its texts."""
    gated.let(2)
    told = gated.ask([1], [2, 2, 2], [3, 3]).result(PATIENCE)
    assert told.tolist() == [[1, 1], [2, 3], [3, 2]]
    assert len(gated.runs) == 1
    assert gated.workers.steps == 1


def test_waiting_requests_share_a_run(gated: Gated) -> None:
    """The next run has the texts of all that arrived during the first."""
    first = gated.ask([1])
    gated.began()
    others = [gated.ask([number]) for number in range(2, 9)]
    gated.blocked(7)
    gated.let(2)
    assert [told.result(PATIENCE).tolist() for told in others] == [[[n, 1]] for n in range(2, 9)]
    assert first.result(PATIENCE).tolist() == [[1, 1]]
    assert [len(run) for run in gated.runs] == [1, 7]


def test_a_large_request_does_not_starve_a_small_one(gated: Gated) -> None:
    """The small one waits only for the current run."""
    large = gated.ask(*[[number] * 20 for number in range(1, 21)])
    gated.began()
    small = gated.ask([99])
    gated.blocked(1)
    gated.let(3)
    assert small.result(PATIENCE).tolist() == [[99, 1]]
    assert not large.done()
    gated.let(100)
    assert large.result(PATIENCE)[:, 0].tolist() == list(range(1, 21))


def test_a_cancelled_request_is_not_run(gated: Gated) -> None:
    """Its pending texts are dropped, and it does not delay others."""
    first = gated.ask([1])
    gated.began()
    job = gated.job()
    gone = gated.ask([2], job=job)
    gated.blocked(1)
    job.cancelled = True
    last = gated.ask([3])
    gated.blocked(2)
    gated.let(2)
    assert last.result(PATIENCE).tolist() == [[3, 1]]
    assert first.result(PATIENCE).tolist() == [[1, 1]]
    with pytest.raises(Cancelled):
        gone.result(PATIENCE)
    assert gated.runs == [[[1]], [[3]]]


def test_a_cancelled_leader_hands_over(gated: Gated) -> None:
    """Its current run finishes, and another request runs the rest."""
    job = gated.job()
    gone = gated.ask(*[[1] * 30] * 5, job=job)
    gated.began()
    other = gated.ask([2])
    gated.blocked(1)
    job.cancelled = True
    gated.let(2)
    assert other.result(PATIENCE).tolist() == [[2, 1]]
    with pytest.raises(Cancelled):
        gone.result(PATIENCE)


def test_a_failed_run_fails_its_requests(gated: Gated) -> None:
    """The next request is served."""
    first = gated.ask([1])
    gated.began()
    others = [gated.ask([2]), gated.ask([3])]
    gated.blocked(2)
    gated.failing = True
    gated.let(1)
    with pytest.raises(RunFailed):
        first.result(PATIENCE)
    gated.began()
    gated.let(1)
    for other in others:
        with pytest.raises(RunFailed):
            other.result(PATIENCE)
    gated.failing = False
    gated.let(1)
    assert gated.ask([4]).result(PATIENCE).tolist() == [[4, 1]]


def test_many_threads_all_complete(gated: Gated) -> None:
    """Each request gets its own vectors, whichever thread runs them."""
    gated.let(10_000)
    asked = {n: gated.ask(*[[n] * length for length in range(1, n % 7 + 2)]) for n in range(300)}
    for number, told in asked.items():
        assert told.result(PATIENCE)[:, 0].tolist() == [number] * (number % 7 + 1)
    assert not gated.batcher._running
