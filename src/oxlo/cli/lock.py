"""File locks for one process at a time, released whenever and however the process ends."""

import fcntl
import os
from pathlib import Path

from oxlo.cli.failures import CommandError

#: In OXLO_HOME; held by the process that runs the engines.
FLEET = "fleet.lock"


class LockHeld(CommandError):
    """Another process holds the lock; the message says which command, and where."""


def is_held(path: Path) -> bool:
    """Whether a running process holds the lock."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:  # it does not exist, or is not readable
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def hold(path: Path, holder: str) -> None:
    """Lock the file `path` until this process ends, creating it if necessary.

    Raises LockHeld, whose message names `holder`, the command that takes this lock.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise LockHeld(
            f"another {holder} runs on {path.parent}; stop it or set OXLO_HOME"
        ) from None
