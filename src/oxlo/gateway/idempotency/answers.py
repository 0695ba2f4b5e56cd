"""Storage of responses under idempotency keys, and of claims on keys.

    claim ──> None        the key is free: it is yours until `keep` or `release`
          ├─> Running     another call is producing the response
          ├─> Kept        the stored response
          └─> ApiError    the store is unavailable

Each key has a file in a folder shared by all gateways of a machine. A claim is a lock on a second
file next to it, so that it ends with its process, however that ends.

Paths are joined as strings: `pathlib` interns each part of a path, and many short-lived names would
double CPython's table of interned strings, by a megabyte.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec
import structlog

from oxlo.errors import ApiError

log = structlog.get_logger()

_LOCK = ".lock"
_DRAFT = ".draft"


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A stored response."""

    #: Hash of the request; the response is only valid for this request.
    fingerprint: str
    #: Id of the call that produced it.
    request_id: str
    model: str
    stream: bool
    #: Header lines, except time-dependent ones.
    head: bytes
    body: bytes


class Running(msgspec.Struct, frozen=True):
    """Another call is producing the response to this request."""

    fingerprint: str


OnClaim = Callable[[Kept | Running | ApiError | None], None]
Result = TypeVar("Result")


def name_of(account: str, key: str) -> str:
    """The storage name of an account's key."""
    return hashlib.sha256(f"{account}\0{key}".encode()).hexdigest()


class Answers(Protocol):
    """The interface of response storage. `name` is the result of `name_of`."""

    def claim(self, name: str, fingerprint: str, then: OnClaim) -> None:
        """Claim a key; `then` is called once, later."""

    def keep(self, name: str, kept: Kept, done: Callable[[], None]) -> None:
        """Store the response and end the claim; `done` is called whether or not that succeeded."""

    def release(self, name: str) -> None:
        """End a claim without a response."""

    def tick(self, now: float) -> None:
        """Renew claims and delete expired or excess responses; called periodically."""

    async def open(self) -> None:
        """Prepare for use; called once, before the first call."""

    async def close(self) -> None:
        """Finish pending work; called once, after the last call."""


class FileAnswers:
    """Responses in files of a folder. Only requests with an idempotency key wait for the disk."""

    SWEEP_SECONDS = 60.0

    def __init__(self, folder: Path, loop: asyncio.AbstractEventLoop, *, hours: int, mb: int):
        """Keep responses for `hours`, and at most `mb` megabytes (2^20 bytes) of them."""
        self._folder = str(folder)
        self._loop = loop
        self._seconds = hours * 3600.0
        self._bytes = mb << 20
        self._executor: Executor | None = None  # the event loop's default
        self._claims: dict[str, int] = {}
        self._swept_at = 0.0

    def claim(self, name: str, fingerprint: str, then: OnClaim) -> None:
        """Claim a key; `then` is called once, later."""

        def done(claimed: asyncio.Future[Kept | Running | int]) -> None:
            try:
                result = claimed.result()
            except OSError as error:  # the call is made, but its response will not be stored
                log.warning("idempotency.no_claim", error=str(error))
                then(None)
                return
            if isinstance(result, int):
                self._claims[name] = result
                then(None)
            else:
                then(result)

        self._run(lambda: self._claim(name, fingerprint)).add_done_callback(done)

    def keep(self, name: str, kept: Kept, done: Callable[[], None]) -> None:
        """Store the response and end the claim; `done` is called whether or not that succeeded."""
        lock = self._claims.pop(name, -1)
        self._run(lambda: self._keep(name, kept, lock)).add_done_callback(lambda _: done())

    def release(self, name: str) -> None:
        """End a claim without a response."""
        lock = self._claims.pop(name, -1)
        if lock >= 0:
            self._run(lambda: self._unlock(name, lock))

    def tick(self, now: float) -> None:
        """Delete expired and excess responses, once a minute."""
        if not 0 <= now - self._swept_at < self.SWEEP_SECONDS:  # the clock may have been set back
            self._swept_at = now
            self._run(lambda: sweep(self._folder, now - self._seconds, self._bytes))

    async def open(self) -> None:
        """Do nothing: no preparation is needed."""

    async def close(self) -> None:
        """Do nothing: the threads finish their writes."""

    def _run(self, work: Callable[[], Result]) -> "asyncio.Future[Result]":
        return self._loop.run_in_executor(self._executor, work)

    # Functions that run in threads.

    def _claim(self, name: str, fingerprint: str) -> Kept | Running | int:
        """The response, the call producing it, or the claim: a locked file's descriptor."""
        kept = self._read(name)
        if kept is not None:
            return kept
        lock = self._lock(name, fingerprint)
        if isinstance(lock, int):
            kept = self._read(name)  # it may have been stored just before we got the lock
            if kept is not None:
                self._unlock(name, lock)
                return kept
        return lock

    def _read(self, name: str) -> Kept | None:
        try:
            with open(f"{self._folder}/{name}", "rb", buffering=0) as file:
                if os.fstat(file.fileno()).st_mtime < time.time() - self._seconds:
                    return None
                return msgspec.msgpack.decode(file.read(), type=Kept)
        except (OSError, msgspec.DecodeError):
            return None

    def _lock(self, name: str, fingerprint: str) -> Running | int:
        path = self._lock_of(name)
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        while True:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                running = os.pread(fd, 64, 0).decode()
                os.close(fd)
                return Running(running)
            if _is_at(path, fd):
                return self._write_fingerprint(path, fd, fingerprint)
            os.close(fd)  # its last owner removed the file between our opening and our locking it

    def _write_fingerprint(self, path: str, fd: int, fingerprint: str) -> int:
        """Write the fingerprint into the lock file. Raises OSError, with the lock released."""
        try:
            os.pwrite(fd, fingerprint.encode(), 0)
        except OSError:
            _remove(path)
            os.close(fd)
            raise
        return fd

    def _keep(self, name: str, kept: Kept, lock: int) -> None:
        draft = f"{self._folder}/{name}{_DRAFT}"
        try:
            with open(draft, "wb", opener=_open_private) as file:
                file.write(msgspec.msgpack.encode(kept))
            os.replace(draft, f"{self._folder}/{name}")
        except OSError as error:
            _remove(draft)
            log.warning("idempotency.not_kept", request_id=kept.request_id, error=str(error))
        self._unlock(name, lock)

    def _unlock(self, name: str, lock: int) -> None:
        if lock >= 0:
            _remove(self._lock_of(name))
            os.close(lock)

    def _lock_of(self, name: str) -> str:
        return f"{self._folder}/{name}{_LOCK}"


def _open_private(path: str, flags: int) -> int:
    """Open a file that no other user may read."""
    return os.open(path, flags, 0o600)


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _is_at(path: str, fd: int) -> bool:
    """Whether the open file is still the one at this path."""
    try:
        return os.stat(path).st_ino == os.fstat(fd).st_ino
    except FileNotFoundError:
        return False


def sweep(folder: str, before: float, most: int) -> None:
    """Remove files older than `before`, then the oldest responses down to `most` bytes.

    Recent locks stay: their owners remove them, and a dead owner's lock file is reused.
    """
    left = 0
    for path, written, size in _files(folder):
        if written < before:
            _remove(path)
        elif not path.endswith(_LOCK):
            left += size
    if left > most:
        _shrink(folder, left - most)


def _shrink(folder: str, surplus: int) -> None:
    """Remove the oldest responses; only this holds all file names in memory at once."""
    for path, _, size in sorted(_files(folder), key=lambda file: file[1]):
        if surplus <= 0:
            return
        if not path.endswith(_LOCK):
            _remove(path)
            surplus -= size


def _files(folder: str) -> Iterator[tuple[str, float, int]]:
    """Path, modification time and size of each file, one at a time."""
    if not os.path.isdir(folder):
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):  # another gateway sweeps the same folder
                stat = entry.stat(follow_symlinks=False)
                yield entry.path, stat.st_mtime, stat.st_size
