"""Ending the open calls in journals of gateways that no longer run.

A restarted gateway does this itself (ledger/recovery.py). One that is not restarted, because there
are fewer workers now or its host was renamed, would leave calls that never end.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import structlog

from oxlo.control import segments
from oxlo.ledger import recovery

log = structlog.get_logger()

#: Seconds after the last line of a gateway before its journal is adopted: until then the gateway
#: may still be restarting.
PATIENCE = 60.0


def adopt(folder: Path, now: float, checked: dict[str, int]) -> int:
    """Append an outcome to the journals for each open call; returns the number of calls.

    The drain then moves them to SQL. Skips journals that are locked by a running gateway, and those
    without open calls until they change: `checked` has their sizes, in bytes.
    """
    ended = 0
    for segment in _newest(folder):
        if segment.written + PATIENCE < now and checked.get(segment.name) != segment.size:
            ended += _end_unlocked(folder, segment, now, checked)
    return ended


def _end_unlocked(
    folder: Path, segment: segments.Segment, now: float, checked: dict[str, int]
) -> int:
    with _lock(folder / f"{segment.gateway}.lock") as locked:
        ended = _end(folder, segment, now) if locked else 0
    if locked and not ended:
        checked[segment.name] = segment.size
    return ended


def _newest(folder: Path) -> list[segments.Segment]:
    listed = segments.listed(folder)
    names = segments.newest(listed)
    return [segment for segment in listed if segment.name in names]


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[bool]:
    """Try to take a gateway's lock; yields False if the gateway runs."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:  # written by a version without locks, or by hand
        yield False
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(fd)


def _end(folder: Path, segment: segments.Segment, now: float) -> int:
    """Append outcomes as the gateway would at its next start; returns their number."""
    lost = recovery.recover(folder, segment.gateway, now).lost
    if lost:
        with segment.path.open("ab") as file:
            if not _is_complete(segment.path):
                file.write(b"\n")
            file.write(msgspec.json.Encoder().encode_lines(lost))
        log.warning("journal.adopted", gateway=segment.gateway, lost=len(lost))
    return len(lost)


def _is_complete(path: Path) -> bool:
    """Whether the last line is complete."""
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        if not file.tell():
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
