"""A gateway's journal: each admission and outcome is on disk before anyone is told.

Records of one turn of the event loop are written by a single system call; then each record's `then`
callback runs, which sends the response bytes that depend on the record. The page cache outlives the
process, so `kill -9` loses nothing and no fsync is needed.
"""

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

import msgspec
import structlog

from oxlo.errors import OperatorError
from oxlo.ledger.records import Record, Snapshot
from oxlo.ledger.segment import Segment, next_path

log = structlog.get_logger()

#: Seconds between attempts to lock a name.
_RETRY_SECONDS: Final = 0.02

_encode_lines: Final = msgspec.json.Encoder().encode_lines


class JournalInUseError(OperatorError):
    """Another gateway uses a journal of the same name; each gateway needs a different name."""


class Journal:
    """Appends records to one gateway's journal segments, in the order of their events."""

    def __init__(
        self,
        directory: Path,
        name: str,
        *,
        on_full: Literal["continue", "stop"],
        schedule: Callable[[Callable[[], None]], object],
        snapshot: Callable[[], Snapshot],
        segment_bytes: int = 64 << 20,
        buffer_bytes: int = 16 << 20,
        lock_seconds: float = 5.0,
    ) -> None:
        """Lock the name; the first segment is created by `begin` or else by the first append.

        Waits up to `lock_seconds` for the lock, which control holds while it ends the open calls of
        a gateway that has been down for a while.

        `schedule` runs a function in the next turn of the event loop (`loop.call_soon`); `snapshot`
        returns the counts that a segment starts with; `buffer_bytes` limits memory use while the
        disk accepts no writes. Raises JournalInUseError.
        """
        self._directory = directory
        self._name = name
        self._on_full = on_full
        self._schedule = schedule
        self._snapshot = snapshot
        self._segment_bytes = segment_bytes
        self._buffer_bytes = buffer_bytes
        self._lock = _lock(directory / f"{name}.lock", lock_seconds)
        self._segment: Segment | None = None
        self._records: list[Record] = []
        self._thens: list[Callable[[], None]] = []
        #: Encoded lines not yet written to disk.
        self._left = bytearray()
        self._scheduled = False
        #: Whether a record was dropped since the segment began, which makes its counts wrong.
        self._gap = False
        #: Whether the last write failed.
        self.failing = False
        self.closed = False
        self.records = self.bytes = self.errors = self.dropped = 0

    @property
    def writable(self) -> bool:
        """Whether calls may be admitted: not if writing fails and the operator chose `stop`."""
        return not self.failing or self._on_full == "continue"

    def begin(self) -> None:
        """Create the first segment now, so that no call waits for it."""
        if self._segment is None:
            self._begin()
            self.flush()

    def append(self, record: Record, then: Callable[[], None]) -> None:
        """Write a record in this turn of the event loop, then call `then`.

        `then` runs even if the write fails: the record stays buffered and is written later.
        """
        if self._segment is None:
            self._begin()
        self._records.append(record)
        self._thens.append(then)
        if not self._scheduled:
            self._scheduled = True
            self._schedule(self.flush)

    def flush(self) -> None:
        """Write pending records and run their `then` callbacks, in order."""
        self._scheduled = False
        lines = self._encode()
        if self.failing:
            self._keep(lines)
        else:
            self._write(lines)
        thens, self._thens = self._thens, []
        self._run(thens)

    def retry(self) -> None:
        """Retry after a failed write; called twice a second, so a failing disk costs little."""
        if self.failing:
            self._keep(self._encode())
            lines, self._left = bytes(self._left), bytearray()
            self._write(lines)

    def close(self) -> None:
        """Write pending records, close the files and release the name."""
        while self._records or self._thens:
            self.flush()
        self.retry()
        if self._left:
            log.error("journal.lost", records=self._left.count(b"\n"))
        if self._segment is not None:
            self._segment.close()
            self._segment = None
        os.close(self._lock)
        self.closed = True

    def _begin(self) -> None:
        """Start a segment with a snapshot of the current counts.

        The buffer is empty at this point: a segment is left only after everything was written.
        """
        self._segment = Segment(next_path(self._directory, self._name))
        self._records.append(self._snapshot())

    def _encode(self) -> bytes:
        records, self._records = self._records, []
        self.records += len(records)
        return _encode_lines(records)

    def _write(self, lines: bytes) -> None:
        segment = self._segment
        if segment is None:
            return
        before = segment.size
        try:
            segment.write(lines)
        except OSError as error:
            self._left += lines[segment.size - before :]
            self._failed(error)
        else:
            self._succeeded(segment)
        self.bytes += segment.size - before

    def _failed(self, error: OSError) -> None:
        self.errors += 1
        if not self.failing:
            self.failing = True
            log.error("journal.failed", error=str(error), then=self._on_full)

    def _succeeded(self, segment: Segment) -> None:
        if self.failing:
            self.failing = False
            log.info("journal.recovered", dropped=self.dropped)
        if self._gap or segment.size >= self._segment_bytes:
            segment.close()
            self._segment = None
            self._gap = False

    def _keep(self, lines: bytes) -> None:
        """Limit the buffer's size; the next segment's snapshot makes up for dropped records."""
        self._left += lines
        if len(self._left) > self._buffer_bytes:
            cut = self._left.find(b"\n", len(self._left) - self._buffer_bytes) + 1
            self.dropped += self._left.count(b"\n", 0, cut)
            self._gap = True
            del self._left[:cut]

    def _run(self, thens: list[Callable[[], None]]) -> None:
        """Run all callbacks; an exception in one must not stop those after it."""
        ran = 0
        try:
            for then in thens:
                ran += 1
                then()
        finally:
            if ran < len(thens):
                self._thens[:0] = thens[ran:]
                self._schedule(self.flush)


def _lock(path: Path, seconds: float) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + seconds
    while not _try_lock(fd):
        if time.monotonic() >= deadline:
            os.close(fd)
            raise JournalInUseError(f"{path} is held by another gateway")
        time.sleep(_RETRY_SECONDS)
    return fd


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
