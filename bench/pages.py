"""CPU time of pages, and latency of small chats while pages are requested.

Measured as in `bench/beside.py`; the other load requests one page after another through the same
port. Each page is also requested alone to measure its cost in the control process.
"""

import argparse
import itertools
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import msgspec

from bench import machine
from bench.beside import PAUSE, SMALL, Round, replica, rounds, show
from bench.calls import Refused
from bench.installation import Installation, installation
from bench.overhead.engine import engine
from bench.processes import Failed

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
#: Target: maximum CPU milliseconds per page.
MOST_CPU_MS = 30.0
#: Target: maximum milliseconds by which pages may delay the median small chat.
MOST_MS = 0.5
#: Requests of each page per measurement.
TIMES = 50


class Cost(msgspec.Struct, frozen=True):
    """A page: its size, and the CPU time control spends on it."""

    path: str
    kilobytes: float
    cpu_ms: float


def main(arguments: list[str]) -> int:
    """Measure, print and save the results; return 1 if a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench pages", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each phase")
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="oxlo-bench-") as name, _ours(Path(name)) as ours:
            costs = [_cost(ours, path) for path in PAGES]
            measured = _measure(ours, options.rounds, options.seconds)
    except (Failed, Refused) as error:
        print(error, file=sys.stderr)
        return 1
    return _show(costs, measured)


@contextmanager
def _ours(folder: Path) -> Iterator[Installation]:
    home = folder / "oxlo"
    home.mkdir()
    with engine(folder / "engine") as quick:
        quick.process.first()
        replicas = [replica(SMALL, quick.address)]
        with installation(home, (SMALL,), replicas, pinned=False) as ours:
            yield ours


def _page(port: int, path: str) -> bytes:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", headers={"accept": "text/html"}
    )
    with urllib.request.urlopen(request) as reply:
        return bytes(reply.read())


def _cost(ours: Installation, path: str) -> Cost:
    size = len(_page(ours.port, path))  # warm-up: compiles, highlights and indexes
    before = ours.control.cpu_seconds()
    for _ in range(TIMES):
        _page(ours.port, path)
    return Cost(path, size / 1000, (ours.control.cpu_seconds() - before) / TIMES * 1000)


def _measure(ours: Installation, number: int, seconds: float) -> list[Round]:
    def reading(answered: Callable[[], bool]) -> None:
        for path in itertools.cycle(PAGES):
            _page(ours.port, path)
            if not answered():
                return

    return rounds(ours, reading, number, seconds)


def _show(costs: Sequence[Cost], measured: Sequence[Round]) -> int:
    print(f"{'page':<24}{'KB':>8}{'CPU ms':>9}")
    for cost in costs:
        print(f"{cost.path:<24}{cost.kilobytes:>8.0f}{cost.cpu_ms:>9.1f}")
    print()
    show(measured, "pages")
    added = median(median(one.beside.took_ms) - median(one.alone.took_ms) for one in measured)
    dearest = max(cost.cpu_ms for cost in costs)
    met = added <= MOST_MS and dearest <= MOST_CPU_MS
    print(f"a chat every {PAUSE * 1000:g} ms and its time")
    print(f"added to the median: {added:.2f} ms (at most {MOST_MS:g})")
    print(f"the dearest page: {dearest:.1f} ms of CPU (at most {MOST_CPU_MS:g})")
    print("met" if met else "MISSED")
    print(f"kept in {machine.save('pages', {'costs': costs, 'rounds': measured})}")
    return 0 if met else 1
