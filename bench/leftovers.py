"""Cleanup of a bench's child processes, even if the bench is killed with SIGKILL.

A separate process watches the bench. It is notified of each process group that starts and ends, and
kills the remaining ones.
"""

import atexit
import contextlib
import os
import select
import signal
import subprocess
import sys
from functools import cache


class Watcher:
    """The bench's handle of the watcher process."""

    def __init__(self) -> None:
        """Start the watcher, out of reach of Ctrl-C."""
        us = os.pidfd_open(os.getpid())
        self._process = subprocess.Popen(
            [sys.executable, "-IS", __file__, str(us)],
            stdin=subprocess.PIPE,
            pass_fds=[us],
            start_new_session=True,
        )
        os.close(us)
        atexit.register(self._close)

    def began(self, group: int) -> None:
        """Register a process group or a single process."""
        self._tell(f"+{group}\n")

    def ended(self, group: int) -> None:
        """Unregister an ended process, as its id may be reused."""
        self._tell(f"-{group}\n")

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        os.write(self._process.stdin.fileno(), line.encode())  # short writes to a pipe are atomic

    def _close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@cache
def watcher() -> Watcher:
    """Return this bench's watcher, started on first use."""
    return Watcher()


def _watch(bench: int) -> None:
    """Track process groups until the bench exits or closes stdin; then kill the remaining ones."""
    poll = select.poll()
    poll.register(0, select.POLLIN)
    poll.register(bench, select.POLLIN)
    groups: set[int] = set()
    buffer, alive = b"", True
    while alive:
        ready = dict(poll.poll())
        data = os.read(0, 1 << 16) if 0 in ready else b""
        alive = bool(data)
        *lines, buffer = (buffer + data).split(b"\n")
        for line in lines:
            (groups.add if line.startswith(b"+") else groups.discard)(int(line[1:]))
    for group in groups:
        _kill(group)


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:  # not the leader of a group
            os.kill(group, signal.SIGKILL)


if __name__ == "__main__":
    _watch(int(sys.argv[1]))
