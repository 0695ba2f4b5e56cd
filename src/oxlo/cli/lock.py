"""One process at a time: a lock on a file, held until the process ends, however it ends."""

import fcntl
import os
from pathlib import Path

from oxlo.cli.failing import CommandError

#: In OXLO_HOME; whoever runs the engines has it.
FLEET = "fleet.lock"


class LockHeld(CommandError):
    """Another process has it; the message says which kind of process, and where."""


def is_held(path: Path) -> bool:
    """Whether a process that lives has it."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:  # never made, or not ours to read
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def hold(path: Path, holder: str) -> None:
    """Lock the file `path`, which is made where it is not there; `holder` says who has it else.

    Raises LockHeld.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise LockHeld(
            f"another {holder} runs on {path.parent}; stop it or set OXLO_HOME"
        ) from None
