"""One file of a journal: whole lines only, and under its name only once it has a beginning."""

import os
from pathlib import Path

_DIGITS = 6


def segments(directory: Path, name: str) -> list[Path]:
    """The segments of gateway `name`, newest first."""
    found = [path for path in directory.glob(f"{name}-*.jsonl") if _number(path, name)]
    return sorted(found, key=lambda path: _number(path, name), reverse=True)


def next_path(directory: Path, name: str) -> Path:
    """The path of the segment that follows the newest one."""
    newest = next(iter(segments(directory, name)), None)
    number = 1 + (_number(newest, name) if newest else 0)
    return directory / f"{name}-{number:0{_DIGITS}}.jsonl"


def _number(path: Path, name: str) -> int:
    digits = path.stem[len(name) + 1 :]
    return int(digits) if digits.isdigit() else 0


class Segment:
    """A file that is appended to.

    It is written as a draft and gets its name with its first whole write: a reader never finds a
    segment without the snapshot that it starts with, however the writer died.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._draft = path.with_suffix(".draft")
        self._named = False
        self._torn = False
        self._fd = -1

    def write(self, lines: bytes) -> None:
        """Append whole lines; `size` tells how much of them the file then holds.

        Raises OSError when that is not all; the next write first cuts off what was torn.
        """
        if self._fd < 0:
            self._open()
        if self._torn:
            os.ftruncate(self._fd, self.size)
            self._torn = False
        self._append(lines)
        if not self._named:
            self._draft.rename(self.path)
            self._named = True

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(self._draft, flags, 0o600)

    def _append(self, lines: bytes) -> None:
        """Write until all is written: a file takes less than all only when an error is near."""
        done, size = 0, len(lines)
        try:
            while done < size:
                done += os.write(self._fd, lines[done:] if done else lines)
        finally:
            whole = done if done == size else lines.rfind(b"\n", 0, done) + 1
            self._torn = whole != done
            self.size += whole
