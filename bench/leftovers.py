"""Ends what a bench has started when the bench is gone, however it went: SIGKILL leaves nobody.

A process of its own watches the bench. It is told of each process group that begins and ends, and
kills those that are left.
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
    """The running watcher, as the bench sees it."""

    def __init__(self) -> None:
        """Start it; Ctrl-C does not reach it."""
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
        """A process group (or a single process) was started."""
        self._tell(f"+{group}\n")

    def ended(self, group: int) -> None:
        """It has ended: its number may be another's now."""
        self._tell(f"-{group}\n")

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        os.write(self._process.stdin.fileno(), line.encode())  # so short that it is never split

    def _close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@cache
def watcher() -> Watcher:
    """The one watcher of this bench, started when it is first needed."""
    return Watcher()


def _watch(bench: int) -> None:
    """Keep the list until the bench is gone or closes our stdin; then kill who is on it."""
    poll = select.poll()
    poll.register(0, select.POLLIN)
    poll.register(bench, select.POLLIN)
    groups: set[int] = set()
    told, alive = b"", True
    while alive:
        ready = dict(poll.poll())
        data = os.read(0, 1 << 16) if 0 in ready else b""
        alive = bool(data)
        *lines, told = (told + data).split(b"\n")
        for line in lines:
            (groups.add if line.startswith(b"+") else groups.discard)(int(line[1:]))
    for group in groups:
        _kill(group)


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:  # it leads no group
            os.kill(group, signal.SIGKILL)


if __name__ == "__main__":
    _watch(int(sys.argv[1]))
