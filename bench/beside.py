"""Latency of small chats with and without other load.

Small chats go to a fake engine in C, one after the other, every few milliseconds. In every second
phase, a separate process loads the platform with other requests; the order of the two phases
alternates. The result is the difference between the phases.
"""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from statistics import median, quantiles

import msgspec

from bench.calls import Caller
from bench.installation import Installation
from bench.leftovers import watcher
from bench.overhead.engine import model
from bench.processes import Failed, run_first
from oxlo.fleet.registry import Replica
from oxlo.testing import replicas

PATH = "/v1/chat/completions"
SMALL = model("openai")
#: Seconds between small chats.
PAUSE = 0.002

#: The other load: calls `answered` after each response and stops when that returns False.
Work = Callable[[Callable[[], bool]], None]


class Phase(msgspec.Struct, frozen=True):
    """Milliseconds of each small chat, and the number of other responses meanwhile."""

    others: int
    took_ms: list[float]

    @property
    def slowest(self) -> float:
        return max(self.took_ms)


class Round(msgspec.Struct, frozen=True):
    """The small chats without and with other load."""

    alone: Phase
    beside: Phase


def rounds(ours: Installation, work: Work, number: int, seconds: float) -> list[Round]:
    """Measure `number` rounds with phases of `seconds`. Raises Failed and Refused."""
    small = chat(SMALL, "Hi.")
    if not (ours.gateway.first() and run_first()):
        print("cannot raise the priority: other processes on this machine affect the result")
    with Caller(ours.port, ours.key, PATH) as caller:
        _phase(caller, small, 1.0)
        return [_round(caller, small, work, seconds, turn) for turn in range(number)]


def _round(caller: Caller, small: bytes, work: Work, seconds: float, turn: int) -> Round:
    def beside() -> Phase:
        with _working(work) as done:
            before = done.value
            took = _phase(caller, small, seconds)
            return Phase(done.value - before, took)

    def alone() -> Phase:
        return Phase(0, _phase(caller, small, seconds))

    if turn % 2:
        return Round(beside=beside(), alone=alone())
    return Round(alone=alone(), beside=beside())


def _phase(caller: Caller, body: bytes, seconds: float) -> list[float]:
    took, end = [], time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        caller.call(body)
        took.append((time.perf_counter() - began) * 1e3)
        time.sleep(PAUSE)
    return took


@contextmanager
def _working(work: Work) -> Iterator["Synchronized[int]"]:
    """Run the load in a separate process; yield its number of responses. Raises Failed."""
    context = multiprocessing.get_context("fork")
    done, stop = context.Value("i", 0), context.Event()
    worker = context.Process(target=_work, args=(work, done, stop))
    worker.start()
    assert worker.pid is not None
    watcher().began(worker.pid)
    try:
        while not done.value and worker.is_alive():  # the first response ends the warm-up
            time.sleep(0.01)
        yield done
    finally:
        stop.set()
        worker.join()
        watcher().ended(worker.pid)
    if worker.exitcode:
        raise Failed("a request of the other load failed; its error is above")


def _work(work: Work, done: "Synchronized[int]", stop: Event) -> None:
    os.nice(10)  # the load must not take CPU time from the measured process

    def answered() -> bool:
        done.value += 1
        return not stop.is_set()

    work(answered)


def chat(name: str, content: object) -> bytes:
    """Build a chat's body."""
    messages = [{"role": "user", "content": content}]
    return msgspec.json.encode({"model": name, "messages": messages, "max_tokens": 64})


def replica(name: str, address: str) -> Replica:
    """Build a ready replica at an address."""
    return replicas.replica(
        name, address=address, slots=4, context_length=131_072, since=time.time()
    )


def show(measured: Sequence[Round], what: str) -> None:
    """Print the latencies of the small chats in both kinds of phases."""
    print(f"{'small chats':<16}{'number':>8}{'p50 ms':>9}{'p99 ms':>9}{'slowest ms':>12}")
    for name, phases in (
        ("alone", [one.alone for one in measured]),
        (f"beside {what}", [one.beside for one in measured]),
    ):
        took = [ms for phase in phases for ms in phase.took_ms]
        cuts = quantiles(took, n=100)
        slowest = median(phase.slowest for phase in phases)
        print(f"{name:<16}{len(took):>8,}{cuts[49]:>9.2f}{cuts[98]:>9.2f}{slowest:>12.2f}")
    others = sum(one.beside.others for one in measured)
    print(f"{others} {what} were answered meanwhile; 'slowest' is the median of {len(measured)}")
