"""CPU time of the ledger per answered call, on one core.

    python -m bench ledger [CALLS]

A call is a reservation, its admission record, its settlement and its outcome record; 64 calls share
an event loop iteration and thus a write. The clock is process time, so waiting is not counted.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from oxlo.ledger.base import Reservation, Waiter
from oxlo.ledger.journal import Journal
from oxlo.ledger.memory import MemoryLedger
from oxlo.ledger.records import Snapshot
from oxlo.plans import Plan
from oxlo.testing.journal import admitted, ended

PARALLEL = 64
ACCOUNTS = [f"account-{number}" for number in range(PARALLEL)]
PLAN = Plan(
    id="pro",
    name="Pro",
    requests_per_day=10**9,
    requests_per_minute=10**9,
    concurrency=20,
    tiers=frozenset({"free"}),
    queue="high",
)
NOW = 1_795_392_000.0


def ignore_response() -> None:
    """Ignore the response."""


def ignore_queue(got: object) -> None:
    """Ignore queue updates."""


class Bench:
    """Rounds of 64 calls, for each part and for all parts together."""

    def __init__(self, folder: Path) -> None:
        self.turn: list[Callable[[], None]] = []
        self.ledger = MemoryLedger()
        self.journal = Journal(
            folder,
            "bench",
            on_full="stop",
            schedule=self.turn.append,
            snapshot=lambda: Snapshot(NOW, (), ()),
        )
        self.admissions = [admitted(f"req_{n:028}", NOW, a) for n, a in enumerate(ACCOUNTS)]
        self.outcomes = [ended(record, NOW) for record in self.admissions]

    def reserve(self) -> list[Reservation | Waiter]:
        reserve = self.ledger.reserve
        return [reserve(account, account, PLAN, NOW, ignore_queue) for account in ACCOUNTS]

    def settle(self, held: list[Reservation | Waiter]) -> None:
        settle = self.ledger.settle
        for reservation in held:
            assert isinstance(reservation, Reservation)
            settle(reservation, counted=True, minute_counted=True, now=NOW)

    def counts(self) -> None:
        self.settle(self.reserve())

    def append(self) -> None:
        for record in self.admissions:
            self.journal.append(record, ignore_response)
        self.loop()
        for outcome in self.outcomes:
            self.journal.append(outcome, ignore_response)
        self.loop()

    def loop(self) -> None:
        self.turn.pop()()

    def whole(self) -> None:
        held = self.reserve()
        self.append()
        self.settle(held)

    def limits(self) -> None:
        for account in ACCOUNTS:
            self.ledger.limits(account, PLAN, NOW)


def microseconds(run: Callable[[], object], calls: int) -> float:
    """Measure CPU microseconds per call, the best of five rounds, because noise only adds time."""
    rounds = max(1, calls // PARALLEL)
    best = float("inf")
    for _ in range(5):
        started = time.process_time()
        for _ in range(rounds):
            run()
        best = min(best, time.process_time() - started)
    return best / (rounds * PARALLEL) * 1e6


def main(arguments: list[str]) -> int:
    """Measure and print a table."""
    calls = int(arguments[0]) if arguments else 64_000
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        print(f"{'64 calls a turn':32} CPU us/call")
        for name in ("counts", "append", "whole", "limits"):
            print(f"{name:32} {microseconds(getattr(bench, name), calls):11.2f}")
        bench.journal.close()
    return 0
