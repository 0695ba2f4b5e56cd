"""A full disk for tests: nothing that this process writes is taken."""

import contextlib
import resource
from collections.abc import Iterator
from typing import Any

import structlog.testing


@contextlib.contextmanager
def full_disk() -> Iterator[list[Any]]:
    """No file may have a byte; made, opened and removed they may be, as on a full disk.

    What is logged meanwhile is kept here: the file that the test's output goes to is full, too.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with structlog.testing.capture_logs() as logs:
            yield logs
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
