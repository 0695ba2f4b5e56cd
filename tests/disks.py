"""Simulates a full disk: this process's writes fail."""

import contextlib
import resource
from collections.abc import Iterator
from typing import Any

import structlog.testing


@contextlib.contextmanager
def full_disk() -> Iterator[list[Any]]:
    """Limit file sizes to 0 bytes; files can still be created, opened and removed.

    Log output is captured meanwhile, because writing it to a file would fail too.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with structlog.testing.capture_logs() as logs:
            yield logs
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
