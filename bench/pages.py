"""Pages beside small chats: what a page costs, and how much later the chats get their answers.

Small chats go to a fake engine in C, one after the other, every few milliseconds. Beside them, in
every other phase, a reader asks for one page after another without a pause, through the same port.
Who goes first takes turns. Each page is also asked for alone, and what it costs the control process
is told.
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from statistics import median, quantiles

import msgspec

from bench import machine
from bench.calls import Caller, Refused
from bench.installation import Installation, installation
from bench.media import PATH, PAUSE, SMALL, Phase, Round, _chat, _phase, _replica
from bench.overhead.engine import engine
from bench.processes import Failed, run_first

PAGES = (
    "/",
    "/models",
    "/models/qwen-3-32b",
    "/pricing",
    "/status",
    "/docs/api/chat",
    "/docs/api-reference",
    "/docs/search?q=retry",
    "/login",
)
#: Milliseconds of CPU that a page may cost.
MOST_CPU_MS = 30.0
#: Milliseconds that the median of small chats may take longer because of the reader.
MOST_MS = 0.5
#: Times that each page is asked for, to be measured.
TIMES = 50


class Cost(msgspec.Struct, frozen=True):
    """One page: its size, and the CPU that control spends on it."""

    path: str
    kilobytes: float
    cpu_ms: float


def main(arguments: list[str]) -> int:
    """Measure, print and keep the result; 1 when a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench pages", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each phase")
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="oxlo-bench-") as name, _ours(Path(name)) as ours:
            costs = [_cost(ours, path) for path in PAGES]
            rounds = _measure(ours, options.rounds, options.seconds)
    except (Failed, Refused) as error:
        print(error, file=sys.stderr)
        return 1
    return _show(costs, rounds)


@contextmanager
def _ours(folder: Path) -> Iterator[Installation]:
    home = folder / "oxlo"
    home.mkdir()
    with engine(folder / "engine") as quick:
        quick.process.first()
        replicas = [_replica(SMALL, quick.address)]
        with installation(home, (SMALL,), replicas, pinned=False) as ours:
            yield ours


def _page(port: int, path: str) -> bytes:
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", headers={"accept": "text/html"}
    )
    with urllib.request.urlopen(asked) as reply:
        return bytes(reply.read())


def _cost(ours: Installation, path: str) -> Cost:
    size = len(_page(ours.port, path))  # the first time it is also compiled, coloured, indexed
    before = ours.control.cpu_seconds()
    for _ in range(TIMES):
        _page(ours.port, path)
    return Cost(path, size / 1000, (ours.control.cpu_seconds() - before) / TIMES * 1000)


def _measure(ours: Installation, rounds: int, seconds: float) -> list[Round]:
    small = _chat(SMALL, "Hi.")
    if not (ours.gateway.first() and run_first()):
        print("no right to run first: what else runs on this machine counts too")
    with Caller(ours.port, ours.key, PATH) as caller:
        _phase(caller, small, 1.0)
        return [_round(ours, caller, small, seconds, number) for number in range(rounds)]


def _round(ours: Installation, caller: Caller, small: bytes, seconds: float, number: int) -> Round:
    def beside() -> Phase:
        with _reading(ours) as done:
            before = done.value
            took = _phase(caller, small, seconds)
            return Phase(done.value - before, took)

    def alone() -> Phase:
        return Phase(0, _phase(caller, small, seconds))

    if number % 2:
        return Round(beside=beside(), alone=alone())
    return Round(alone=alone(), beside=beside())


@contextmanager
def _reading(ours: Installation) -> Iterator["Synchronized[int]"]:
    """Ask for pages without a pause, in a process of its own; how many. Raises Failed."""
    context = multiprocessing.get_context("fork")
    done, stop = context.Value("i", 0), context.Event()
    reader = context.Process(target=_read, args=(ours.port, done, stop))
    reader.start()
    try:
        while not done.value and reader.is_alive():
            time.sleep(0.01)
        yield done
    finally:
        stop.set()
        reader.join()
    if reader.exitcode:
        raise Failed("a page was refused; what it was told is above")


def _read(port: int, done: "Synchronized[int]", stop: object) -> None:
    os.nice(10)  # what loads may not take the CPU from what is measured
    while not stop.is_set():  # type: ignore[attr-defined]
        for path in PAGES:
            _page(port, path)
            done.value += 1


def _show(costs: Sequence[Cost], rounds: Sequence[Round]) -> int:
    print(f"{'page':<24}{'KB':>8}{'CPU ms':>9}")
    for cost in costs:
        print(f"{cost.path:<24}{cost.kilobytes:>8.0f}{cost.cpu_ms:>9.1f}")
    print(f"\n{'small chats':<16}{'number':>8}{'p50 ms':>9}{'p99 ms':>9}{'slowest ms':>12}")
    for name, phases in (
        ("alone", [one.alone for one in rounds]),
        ("beside pages", [one.beside for one in rounds]),
    ):
        took = [ms for phase in phases for ms in phase.took_ms]
        cuts = quantiles(took, n=100)
        slowest = median(phase.slowest for phase in phases)
        print(f"{name:<16}{len(took):>8,}{cuts[49]:>9.2f}{cuts[98]:>9.2f}{slowest:>12.2f}")
    added = median(median(one.beside.took_ms) - median(one.alone.took_ms) for one in rounds)
    dearest = max(cost.cpu_ms for cost in costs)
    met = added <= MOST_MS and dearest <= MOST_CPU_MS
    pages = sum(one.beside.uploads for one in rounds)
    print(f"{pages} pages were read meanwhile; a chat every {PAUSE * 1000:g} ms and its time")
    print(f"added to the median: {added:.2f} ms (at most {MOST_MS:g})")
    print(f"the dearest page: {dearest:.1f} ms of CPU (at most {MOST_CPU_MS:g})")
    print("met" if met else "MISSED")
    print(f"kept in {machine.save('pages', {'costs': costs, 'rounds': rounds})}")
    return 0 if met else 1
