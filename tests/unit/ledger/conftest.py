import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from oxlo.ledger.journal import Journal
from oxlo.ledger.memory import MemoryLedger
from oxlo.ledger.records import Snapshot
from oxlo.plans import Plan
from oxlo.testing.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    """Midnight UTC."""
    return FakeClock()


@pytest.fixture
def ledger() -> MemoryLedger:
    """An empty ledger whose leases last ten seconds."""
    return MemoryLedger(lease_seconds=10.0)


@pytest.fixture
def make_plan() -> Callable[..., Plan]:
    """Plans of three a minute, ten a day and two at a time, by default."""

    def make(**changes: Any) -> Plan:
        limits = {"requests_per_day": 10, "requests_per_minute": 3, "concurrency": 2}
        fixed = {"id": "p", "name": "P", "tiers": frozenset({"free"}), "queue": "high"}
        return Plan(**fixed | limits | changes)

    return make


class Loop:
    """An event loop that is run one turn at a time."""

    def __init__(self) -> None:
        self.next: list[Callable[[], None]] = []

    def call_soon(self, run: Callable[[], None]) -> None:
        """Run it in the next turn."""
        self.next.append(run)

    def turn(self) -> None:
        """Run the callbacks scheduled so far."""
        now, self.next = self.next, []
        for run in now:
            run()


@pytest.fixture
def loop() -> Loop:
    """An event loop that only runs on demand."""
    return Loop()


@pytest.fixture
def open_journal(tmp_path: Path, loop: Loop) -> Iterator[Callable[..., Journal]]:
    """Journals of gateway `g1` in the test's folder, closed at its end."""
    opened: list[Journal] = []

    def make(**changes: Any) -> Journal:
        given: dict[str, Any] = {"on_full": "continue", "snapshot": lambda: Snapshot(0.0, (), ())}
        given |= changes
        opened.append(Journal(tmp_path, "g1", schedule=loop.call_soon, **given))
        return opened[-1]

    yield make
    for journal in opened:
        if not journal.closed:
            journal.close()


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """Limit the size of this process's files to `size` bytes, which acts like a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def full_disk() -> Callable[[int], AbstractContextManager[None]]:
    """A disk with room for so many bytes, for a while."""
    return disk_of
