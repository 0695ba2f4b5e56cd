"""Answers that are kept under an idempotency key, and who is making one.

    claim ──> None        nobody has the key: it is yours until `keep` or `release`
          ├─> Running     somebody makes the answer
          ├─> Kept        it is there
          └─> ApiError    that cannot be known now

One file a key in a folder that all gateways of a machine share. The claim is a lock on a file
beside it, so it ends with the process that made it, however that ended.

Names are joined as text: `pathlib` interns each part of a path, and names that come and go make
CPython's table of interned strings twice as large, by a megabyte.
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
    """An answer as it is sent again."""

    #: What was asked: an answer is for this and nothing else.
    fingerprint: str
    #: The call that made it.
    request_id: str
    model: str
    stream: bool
    #: Header lines, without those that tell of a moment.
    head: bytes
    body: bytes


class Running(msgspec.Struct, frozen=True):
    """Somebody makes the answer to this."""

    fingerprint: str


Told = Callable[[Kept | Running | ApiError | None], None]
Result = TypeVar("Result")


def name_of(account: str, key: str) -> str:
    """What a key of an account is kept under."""
    return hashlib.sha256(f"{account}\0{key}".encode()).hexdigest()


class Answers(Protocol):
    """Where answers are kept; the same rules wherever that is. `name` is that of `name_of`."""

    def claim(self, name: str, fingerprint: str, told: Told) -> None:
        """Ask for a key; `told` is called once, later."""

    def keep(self, name: str, kept: Kept, done: Callable[[], None]) -> None:
        """Keep the answer and end the claim; `done` is called whether or not that worked."""

    def release(self, name: str) -> None:
        """End a claim without an answer."""

    def tick(self, now: float) -> None:
        """Now and then: hold what is claimed, forget what is too old or too much."""

    async def open(self) -> None:
        """Get ready; called once, before the first call."""

    async def close(self) -> None:
        """Finish what is pending; called once, after the last call."""


class FileAnswers:
    """Answers in files of a folder. Nothing waits for the disk but those who sent a key."""

    SWEEP_SECONDS = 60.0

    def __init__(self, folder: Path, loop: asyncio.AbstractEventLoop, *, hours: int, mb: int):
        """Keep answers for `hours`, and no more than `mb` megabytes (2^20 bytes) of them."""
        self._folder = str(folder)
        self._loop = loop
        self._seconds = hours * 3600.0
        self._bytes = mb << 20
        self._executor: Executor | None = None  # the loop's own
        self._claims: dict[str, int] = {}
        self._swept_at = 0.0

    def claim(self, name: str, fingerprint: str, told: Told) -> None:
        """Ask for a key; `told` is called once, later."""

        def done(asked: asyncio.Future[Kept | Running | int]) -> None:
            try:
                result = asked.result()
            except OSError as error:  # the call is made; it will just not be remembered
                log.warning("idempotency.no_claim", error=str(error))
                told(None)
                return
            if isinstance(result, int):
                self._claims[name] = result
                told(None)
            else:
                told(result)

        self._run(lambda: self._claim(name, fingerprint)).add_done_callback(done)

    def keep(self, name: str, kept: Kept, done: Callable[[], None]) -> None:
        """Keep the answer and end the claim; `done` is called whether or not that worked."""
        lock = self._claims.pop(name, -1)
        self._run(lambda: self._keep(name, kept, lock)).add_done_callback(lambda _: done())

    def release(self, name: str) -> None:
        """End a claim without an answer."""
        lock = self._claims.pop(name, -1)
        if lock >= 0:
            self._run(lambda: self._unlock(name, lock))

    def tick(self, now: float) -> None:
        """Once a minute: forget what is too old or too much."""
        if now - self._swept_at >= self.SWEEP_SECONDS:
            self._swept_at = now
            self._run(lambda: sweep(self._folder, now - self._seconds, self._bytes))

    async def open(self) -> None:
        """Nothing is needed."""

    async def close(self) -> None:
        """What threads are writing ends with them."""

    def _run(self, work: Callable[[], Result]) -> "asyncio.Future[Result]":
        return self._loop.run_in_executor(self._executor, work)

    # In threads.

    def _claim(self, name: str, fingerprint: str) -> Kept | Running | int:
        """The answer, who makes it, or the claim: a locked file's descriptor."""
        kept = self._read(name)
        if kept is not None:
            return kept
        lock = self._lock(name, fingerprint)
        if isinstance(lock, int):
            kept = self._read(name)  # it may have been kept just before we had the lock
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
                return self._signed(path, fd, fingerprint)
            os.close(fd)  # its last owner removed it between our opening and our locking

    def _signed(self, path: str, fd: int, fingerprint: str) -> int:
        """The lock, with what is asked for. Raises OSError; on a full disk nobody holds it then."""
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
            with open(draft, "wb", opener=_for_us) as file:
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


def _for_us(path: str, flags: int) -> int:
    """Open a file that no other user may read."""
    return os.open(path, flags, 0o600)


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _is_at(path: str, fd: int) -> bool:
    """Whether the open file is the one that has this name now."""
    try:
        return os.stat(path).st_ino == os.fstat(fd).st_ino
    except FileNotFoundError:
        return False


def sweep(folder: str, before: float, most: int) -> None:
    """Remove what was written before a moment, then the oldest answers until `most` bytes are left.

    Locks stay while they are young: their owners remove them, and a dead one's serves the next.
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
    """Remove the oldest answers; only now are all of them held in memory at once."""
    for path, _, size in sorted(_files(folder), key=lambda file: file[1]):
        if surplus <= 0:
            return
        if not path.endswith(_LOCK):
            _remove(path)
            surplus -= size


def _files(folder: str) -> Iterator[tuple[str, float, int]]:
    """Path, moment of writing and size of each file, one after another."""
    if not os.path.isdir(folder):
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):  # another gateway sweeps, too
                stat = entry.stat(follow_symlinks=False)
                yield entry.path, stat.st_mtime, stat.st_size
