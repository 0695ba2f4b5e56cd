"""Small chats beside something else: how much later do they get their answers?

Small chats go to a fake engine in C, one after the other, every few milliseconds. In every other
phase something else is asked of the platform without a pause, by a process of its own; who goes
first takes turns. What is told is the difference between the phases.
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
#: Seconds between two small chats.
PAUSE = 0.002

#: What is asked beside the chats: calls `answered` after each answer, until it is False.
Work = Callable[[Callable[[], bool]], None]


class Phase(msgspec.Struct, frozen=True):
    """Milliseconds of each small chat, and what else was answered meanwhile."""

    others: int
    took_ms: list[float]

    @property
    def slowest(self) -> float:
        return max(self.took_ms)


class Round(msgspec.Struct, frozen=True):
    """The small chats alone, and beside something else."""

    alone: Phase
    beside: Phase


def rounds(ours: Installation, work: Work, number: int, seconds: float) -> list[Round]:
    """So many rounds, with phases of so many seconds. Raises Failed and Refused."""
    small = chat(SMALL, "Hi.")
    if not (ours.gateway.first() and run_first()):
        print("no right to run first: what else runs on this machine counts too")
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
    """Have it done in a process of its own; the number of answers. Raises Failed."""
    context = multiprocessing.get_context("fork")
    done, stop = context.Value("i", 0), context.Event()
    worker = context.Process(target=_work, args=(work, done, stop))
    worker.start()
    assert worker.pid is not None
    watcher().began(worker.pid)
    try:
        while not done.value and worker.is_alive():  # the first one warms everything up
            time.sleep(0.01)
        yield done
    finally:
        stop.set()
        worker.join()
        watcher().ended(worker.pid)
    if worker.exitcode:
        raise Failed("what was asked beside the chats was refused; what it was told is above")


def _work(work: Work, done: "Synchronized[int]", stop: Event) -> None:
    os.nice(10)  # what loads may not take the CPU from what is measured

    def answered() -> bool:
        done.value += 1
        return not stop.is_set()

    work(answered)


def chat(name: str, content: object) -> bytes:
    """A chat's body."""
    messages = [{"role": "user", "content": content}]
    return msgspec.json.encode({"model": name, "messages": messages, "max_tokens": 64})


def replica(name: str, address: str) -> Replica:
    """An engine that is ready at an address."""
    return replicas.replica(
        name, address=address, slots=4, context_length=131_072, since=time.time()
    )


def show(measured: Sequence[Round], what: str) -> None:
    """Print the small chats of both kinds of phases."""
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
