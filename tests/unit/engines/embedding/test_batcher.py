"""Runs that calls share, with an encoder that waits where a test wants it to."""

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
    """Gives each text its own first token and its length; each run waits to be let through."""

    def __init__(self) -> None:
        self.workers = Workers(1)
        self.batcher = Batcher(self._encode, Costs(batch=40, run=4), self.workers.moved)
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

    def asleep(self, calls: int) -> None:
        """Wait until so many calls wait for another's run."""
        self.until(lambda: len(self.batcher._asleep) == calls)

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


def test_who_comes_alone_runs_at_once(gated: Gated) -> None:
    """One call, one run, the vectors in the order of its texts."""
    gated.let(2)
    told = gated.ask([1], [2, 2, 2], [3, 3]).result(PATIENCE)
    assert told.tolist() == [[1, 1], [2, 3], [3, 2]]
    assert len(gated.runs) == 1
    assert gated.workers.steps == 1


def test_those_who_wait_share_a_run(gated: Gated) -> None:
    """While one runs, others gather; the next run holds them all."""
    first = gated.ask([1])
    gated.began()
    others = [gated.ask([number]) for number in range(2, 9)]
    gated.asleep(7)
    gated.let(2)
    assert [told.result(PATIENCE).tolist() for told in others] == [[[n, 1]] for n in range(2, 9)]
    assert first.result(PATIENCE).tolist() == [[1, 1]]
    assert [len(run) for run in gated.runs] == [1, 7]


def test_a_large_call_does_not_shut_out_a_small_one(gated: Gated) -> None:
    """The small one waits for the run that is under way, and for no more."""
    large = gated.ask(*[[number] * 20 for number in range(1, 21)])
    gated.began()
    small = gated.ask([99])
    gated.asleep(1)
    gated.let(3)
    assert small.result(PATIENCE).tolist() == [[99, 1]]
    assert not large.done()
    gated.let(100)
    assert large.result(PATIENCE)[:, 0].tolist() == list(range(1, 21))


def test_who_has_gone_is_not_run(gated: Gated) -> None:
    """Neither its waiting texts, nor does it hold up others."""
    first = gated.ask([1])
    gated.began()
    job = gated.job()
    gone = gated.ask([2], job=job)
    gated.asleep(1)
    job.cancelled = True
    last = gated.ask([3])
    gated.asleep(2)
    gated.let(2)
    assert last.result(PATIENCE).tolist() == [[3, 1]]
    assert first.result(PATIENCE).tolist() == [[1, 1]]
    with pytest.raises(Cancelled):
        gone.result(PATIENCE)
    assert gated.runs == [[[1]], [[3]]]


def test_a_leader_that_goes_leaves_the_lead(gated: Gated) -> None:
    """Its run is finished, and another call runs the rest."""
    job = gated.job()
    gone = gated.ask(*[[1] * 30] * 5, job=job)
    gated.began()
    other = gated.ask([2])
    gated.asleep(1)
    job.cancelled = True
    gated.let(2)
    assert other.result(PATIENCE).tolist() == [[2, 1]]
    with pytest.raises(Cancelled):
        gone.result(PATIENCE)


def test_a_failed_run_fails_those_in_it(gated: Gated) -> None:
    """They are told, and the next call is served."""
    first = gated.ask([1])
    gated.began()
    others = [gated.ask([2]), gated.ask([3])]
    gated.asleep(2)
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


def test_many_threads_all_come_to_their_end(gated: Gated) -> None:
    """Whoever leads, whoever sleeps: everybody has what is theirs."""
    gated.let(10_000)
    asked = {n: gated.ask(*[[n] * length for length in range(1, n % 7 + 2)]) for n in range(300)}
    for number, told in asked.items():
        assert told.result(PATIENCE)[:, 0].tolist() == [number] * (number % 7 + 1)
    assert not gated.batcher._running
