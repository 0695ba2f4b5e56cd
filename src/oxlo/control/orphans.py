"""Journals of gateways that run no more: the calls that they left open are ended.

A gateway that is started again does this itself (ledger/recovery.py). One that is not, because
there are fewer workers now or its host got another name, would leave calls that never end.
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

#: Seconds after the last line of a gateway before anybody else touches its journal: until then it
#: may be on its way back.
PATIENCE = 60.0


def adopt(folder: Path, now: float) -> int:
    """End the open calls of gateways that are gone, in their own journals; how many calls.

    The drain then moves them to SQL. Nothing is done while a gateway holds its journal's lock.
    """
    ended = 0
    for segment in _newest(folder):
        if segment.written + PATIENCE < now:
            with _lock(folder / f"{segment.gateway}.lock") as ours:
                if ours:
                    ended += _end(folder, segment, now)
    return ended


def _newest(folder: Path) -> list[segments.Segment]:
    listed = segments.listed(folder)
    names = segments.newest(listed)
    return [segment for segment in listed if segment.name in names]


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[bool]:
    """Hold a gateway's lock, as it would; False: it runs."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:  # written by hand, or by a version without locks
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
    """Append an outcome for each open call, as the gateway would at its next start."""
    lost = recovery.recover(folder, segment.gateway, now).lost
    if lost:
        with segment.path.open("ab") as file:
            if not _whole(segment.path):
                file.write(b"\n")
            file.write(msgspec.json.Encoder().encode_lines(lost))
        log.warning("journal.adopted", gateway=segment.gateway, lost=len(lost))
    return len(lost)


def _whole(path: Path) -> bool:
    """Whether the last line was written to its end."""
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        if not file.tell():
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
