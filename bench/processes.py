"""Measured processes, pinned to a CPU, with CPU time and memory from /proc."""

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

#: The measured process has a dedicated CPU; load generator and engine share another.
CPUS = sorted(os.sched_getaffinity(0))
MEASURED, LOAD = CPUS[0], CPUS[1 % len(CPUS)]


class Failed(Exception):
    """A process did not start, or exited early."""


class Process:
    """A command and its children; a context manager that always stops them."""

    def __init__(
        self,
        command: Sequence[str | Path],
        log: Path,
        cpu: int | None = MEASURED,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Start `command` on `cpu` (None: any) with its output in `log`."""
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
        """Terminate the process; kill its group after ten seconds."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        watcher().ended(self._process.pid)

    def tree(self) -> list[int]:
        """Return its pid and those of its running descendants."""
        pids = [self._process.pid]
        for pid in pids:
            pids += _children(pid)
        return pids

    def cpu_seconds(self) -> float:
        """Return the tree's user and system time so far, including exited children."""
        return sum(map(_cpu_ticks, self.tree())) / TICKS

    def rss_mb(self) -> float:
        """Return the tree's resident memory in MB (10^6 bytes)."""
        return sum(map(_resident_pages, self.tree())) * PAGE / 1e6

    def first(self) -> bool:
        """Raise the priority of its processes; return False if not permitted."""
        return all(run_first(pid) for pid in self.tree())

    def check(self) -> None:
        """Raise Failed with the end of its log if it has exited."""
        code = self._process.poll()
        if code is not None:
            raise Failed(f"ended with {code}: {self.log_tail()}")

    def log_tail(self) -> str:
        """Return the end of its log as one line."""
        return " ".join(self.log.read_text(errors="replace").split())[-300:]

    def wait_for_port(self, port: int, seconds: float = 60) -> None:
        """Wait until it accepts connections on `port`. Raises Failed."""
        for _ in _poll(seconds):
            self.check()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
        raise Failed(f"does not listen after {seconds:.0f} s: {self.log_tail()}")

    def wait_for_path(self, path: Path, seconds: float = 60) -> None:
        """Wait until `path` exists. Raises Failed."""
        for _ in _poll(seconds):
            self.check()
            if path.exists():
                return
        raise Failed(f"made no {path} in {seconds:.0f} s: {self.log_tail()}")

    def wait_for_text(self, seconds: float = 10) -> None:
        """Wait until its output contains `text`. Raises Failed."""
        for _ in _poll(seconds):
            self.check()
            if self.log.read_bytes().endswith(b"\n"):
                return
        raise Failed(f"says nothing in {seconds:.0f} s")

    def wait_for_quiet(self, seconds: float = 30) -> None:
        """Wait until it is idle, so that the last load does not affect the next one."""
        before = self.cpu_seconds()
        for _ in _poll(seconds, every=0.2):
            now = self.cpu_seconds()
            if now - before <= 0.01:
                return
            before = now


def resident_mb(pid: int) -> float:
    """Return the resident memory of one process in MB (10^6 bytes)."""
    return _resident_pages(pid) * PAGE / 1e6


def run_first(pid: int = 0) -> bool:
    """Raise the priority of a process (0: this one), to reduce noise from others."""
    try:
        os.sched_setscheduler(pid, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except PermissionError:
        return False
    return True


def on_cpu(cpu: int | None) -> Callable[[], None]:
    """Return a preexec function that pins the child to a CPU (None: none)."""
    return lambda: os.sched_setaffinity(0, CPUS if cpu is None else {cpu})


def free_port() -> int:
    """Return a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _poll(seconds: float, every: float = 0.05) -> Iterator[None]:
    """Iterate at intervals until the timeout."""
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
    """Return user and system time of a process and its exited children."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return 0
    fields = stat.rpartition(")")[2].split()  # the process name may contain spaces and parentheses
    return sum(map(int, fields[11:15]))


def _resident_pages(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except FileNotFoundError:
        return 0
