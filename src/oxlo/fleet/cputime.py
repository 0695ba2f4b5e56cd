"""What a process got of the machine's CPUs, and what it waited for them.

A process that wants to compute and does not get to is slow, not hung: the time that it waited for
a CPU is none of its own (`starved`). The kernel tells both for each thread; where it does not
(macOS), nobody is ever starved.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: Part of the time that a process has to want a CPU for to be one that computes. One that hangs
#: and still answers polls wants it for a few hundredths.
_COMPUTES = 0.5


@dataclass(frozen=True, slots=True)
class CpuTime:
    """Seconds since its start, over all threads."""

    ran: float = 0.0
    waited: float = 0.0

    @classmethod
    def of(cls, pid: int) -> "CpuTime":
        """Of a process and those that it started."""
        ran = waited = 0
        for thread in _threads(pid):
            # One that ends while it is looked at counts for nothing.
            with contextlib.suppress(OSError, ValueError):
                figures = (thread / "schedstat").read_bytes().split()
                ran, waited = ran + int(figures[0]), waited + int(figures[1])
        return cls(ran / 1e9, waited / 1e9)

    def starved(self, before: "CpuTime", seconds: float) -> float:
        """Of the `seconds` since `before`, those that it wanted to compute in and could not."""
        ran, waited = max(0.0, self.ran - before.ran), max(0.0, self.waited - before.waited)
        if ran + waited < _COMPUTES * seconds or not waited:
            return 0.0
        return seconds * waited / (ran + waited)


class Share:
    """What a process, and those that it started, get of the CPUs while somebody looks."""

    def __init__(self, pid: int | None) -> None:
        """`pid`: None when the process is not ours, and so never starved."""
        self._pid = pid
        self._before: tuple[float, CpuTime] | None = None

    def starved(self, now: float, *, look: bool) -> float:
        """Seconds since the last look that it wanted to compute in and could not.

        `now` is of the monotonic clock. Only those in doubt are looked at: a hundred threads take
        milliseconds.
        """
        if not look or self._pid is None:
            self._before = None
            return 0.0
        before, seen = self._before, CpuTime.of(self._pid)
        self._before = (now, seen)
        return seen.starved(before[1], now - before[0]) if before else 0.0


def _threads(pid: int) -> Iterator[Path]:
    """Their folders."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:  # gone, or no Linux
        return
    for thread in threads:
        yield thread
        with contextlib.suppress(OSError):
            for child in (thread / "children").read_bytes().split():
                yield from _threads(int(child))
