"""Child processes that end with their test."""

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

from tests.waiting import PATIENCE

Process = subprocess.Popen[Any]


@contextlib.contextmanager
def ending(process: Process, patience: float = PATIENCE) -> Iterator[Any]:
    """Yield the process and terminate it afterwards.

    A process that is still running after `patience` seconds is killed, and the test fails.
    """
    try:
        yield process
    finally:
        end(process, patience)


def end(process: Process, patience: float = PATIENCE) -> int:
    """Send SIGTERM, close stdin and return the exit status."""
    process.send_signal(signal.SIGTERM)
    if process.stdin:
        process.stdin.close()
    try:
        return process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
    finally:
        for pipe in (process.stdout, process.stderr):
            if pipe:
                pipe.close()
