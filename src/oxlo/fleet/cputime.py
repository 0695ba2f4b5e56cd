"""CPU time that a process got, and time that it was runnable but waited for a CPU.

A process that is starved of CPU time is slow, not hung, so the time that it waited does not count
against it. Linux reports both for each thread; on other systems nothing counts as starved.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: A process counts as computing if it was runnable for this part of the time. One that hangs but
#: still answers polls is runnable for a few percent.
_COMPUTES = 0.5


@dataclass(frozen=True, slots=True)
class CpuTime:
    """Seconds since the start, summed over all threads."""

    ran: float = 0.0
    waited: float = 0.0

    @classmethod
    def of(cls, pid: int) -> "CpuTime":
        """Measure a process and its descendants."""
        ran = waited = 0
        for thread in _threads(pid):
            # A thread may end while it is read.
            with contextlib.suppress(OSError, ValueError):
                figures = (thread / "schedstat").read_bytes().split()
                ran, waited = ran + int(figures[0]), waited + int(figures[1])
        return cls(ran / 1e9, waited / 1e9)

    def starved(self, before: "CpuTime", seconds: float) -> float:
        """How many of the `seconds` since `before` it was starved of CPU time."""
        ran, waited = max(0.0, self.ran - before.ran), max(0.0, self.waited - before.waited)
        if ran + waited < _COMPUTES * seconds or not waited:
            return 0.0
        return seconds * waited / (ran + waited)


class Share:
    """Watches the CPU time of a process and its descendants."""

    def __init__(self, pid: int | None) -> None:
        """`pid`: None for a process that is not ours, which never counts as starved."""
        self._pid = pid
        self._before: tuple[float, CpuTime] | None = None

    def starved(self, now: float, *, look: bool) -> float:
        """Seconds since the last measurement that it was starved of CPU time.

        `now` is of the monotonic clock. Measure (`look`) only if in doubt: a hundred threads take
        milliseconds.
        """
        if not look or self._pid is None:
            self._before = None
            return 0.0
        before, seen = self._before, CpuTime.of(self._pid)
        self._before = (now, seen)
        return seen.starved(before[1], now - before[0]) if before else 0.0


def _threads(pid: int) -> Iterator[Path]:
    """The /proc directories of all threads."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:  # it has ended, or this is not Linux
        return
    for thread in threads:
        yield thread
        with contextlib.suppress(OSError):
            for child in (thread / "children").read_bytes().split():
                yield from _threads(int(child))
