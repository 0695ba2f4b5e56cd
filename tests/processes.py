"""Processes that tests start: they end with the test, whatever became of it."""

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

from tests.waiting import PATIENCE

Process = subprocess.Popen[Any]


@contextlib.contextmanager
def ending(process: Process, patience: float = PATIENCE) -> Iterator[Any]:
    """The process, which is told to end afterwards and has to.

    What has not ended after `patience` seconds is killed, and is an error: a test whose process
    hangs must not hang.
    """
    try:
        yield process
    finally:
        end(process, patience)


def end(process: Process, patience: float = PATIENCE) -> int:
    """SIGTERM, and the end of its stdin; its exit status."""
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
