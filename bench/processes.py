"""Processes under measurement: pinned to a CPU, their cost read from /proc."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.leftovers import watcher

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")

#: The measured process has a CPU of its own; what loads it and what answers it share another.
CPUS = sorted(os.sched_getaffinity(0))
MEASURED, LOAD = CPUS[0], CPUS[1 % len(CPUS)]


class Failed(Exception):
    """A process did not start, or ended early."""


class Process:
    """A command and its children; a context manager that ends them, and nobody outlives us."""

    def __init__(
        self,
        command: Sequence[str | Path],
        log: Path,
        cpu: int | None = MEASURED,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Start `command` on `cpu` (None: on any); what it prints goes to `log`."""
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                [str(part) for part in command],
                cwd=log.parent,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=env,
                preexec_fn=on_cpu(cpu),
                start_new_session=True,
            )
        watcher().began(self._process.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def end(self) -> None:
        """Ask it to end, and its whole group after ten seconds."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        watcher().ended(self._process.pid)

    def tree(self) -> list[int]:
        """Its pid and those of its living descendants."""
        found = [self._process.pid]
        for pid in found:
            found += _children(pid)
        return found

    def cpu_seconds(self) -> float:
        """User and system time of the tree so far, children that ended included."""
        return sum(map(_cpu_ticks, self.tree())) / TICKS

    def rss_mb(self) -> float:
        """Resident memory of the tree, MB (10^6 bytes)."""
        return sum(map(_resident_pages, self.tree())) * PAGE / 1e6

    def first(self) -> bool:
        """Have its processes run before all others; False where that is not permitted."""
        return all(run_first(pid) for pid in self.tree())

    def check(self) -> None:
        """Raise Failed, with the end of its log, if it has ended."""
        code = self._process.poll()
        if code is not None:
            raise Failed(f"ended with {code}: {self.last_words()}")

    def last_words(self) -> str:
        """The end of its log, in one line."""
        return " ".join(self.log.read_text(errors="replace").split())[-300:]

    def wait_for_port(self, port: int, seconds: float = 60) -> None:
        """Wait until it accepts connections on `port`. Raises Failed."""
        for _ in _moments(seconds):
            self.check()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
        raise Failed(f"does not listen after {seconds:.0f} s: {self.last_words()}")

    def wait_for_path(self, path: Path, seconds: float = 60) -> None:
        """Wait until `path` exists. Raises Failed."""
        for _ in _moments(seconds):
            self.check()
            if path.exists():
                return
        raise Failed(f"made no {path} in {seconds:.0f} s: {self.last_words()}")

    def wait_for_text(self, seconds: float = 10) -> None:
        """Wait until it has printed a line. Raises Failed."""
        for _ in _moments(seconds):
            self.check()
            if self.log.read_bytes().endswith(b"\n"):
                return
        raise Failed(f"says nothing in {seconds:.0f} s")

    def wait_for_quiet(self, seconds: float = 30) -> None:
        """Wait until it has nothing to do: calls that a load left behind do not cost the next."""
        before = self.cpu_seconds()
        for _ in _moments(seconds, every=0.2):
            now = self.cpu_seconds()
            if now - before <= 0.01:
                return
            before = now


def resident_mb(pid: int) -> float:
    """Resident memory of one process, MB (10^6 bytes)."""
    return _resident_pages(pid) * PAGE / 1e6


def run_first(pid: int = 0) -> bool:
    """Have a process (0: this one) run before all others, so that neighbours do not count."""
    try:
        os.sched_setscheduler(pid, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except PermissionError:
        return False
    return True


def on_cpu(cpu: int | None) -> Callable[[], None]:
    """What a child does before it starts: keep to one CPU (None: to none)."""
    return lambda: os.sched_setaffinity(0, CPUS if cpu is None else {cpu})


def free_port() -> int:
    """A port that was free just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _moments(seconds: float, every: float = 0.05) -> Iterator[None]:
    """Come back every so often, until the time is up."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(every)
        yield


def _children(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except FileNotFoundError:
        return []


def _cpu_ticks(pid: int) -> int:
    """User and system time of a process and of its children that ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return 0
    fields = stat.rpartition(")")[2].split()  # the name before it may hold anything
    return sum(map(int, fields[11:15]))


def _resident_pages(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except FileNotFoundError:
        return 0
