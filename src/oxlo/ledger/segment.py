"""A journal file: complete lines only, and named only once it has a first line."""

import os
from pathlib import Path

_DIGITS = 6


def segments(directory: Path, name: str) -> list[Path]:
    """The segments of gateway `name`, newest first."""
    found = [path for path in directory.glob(f"{name}-*.jsonl") if _number(path, name)]
    return sorted(found, key=lambda path: _number(path, name), reverse=True)


def next_path(directory: Path, name: str) -> Path:
    """The path of the segment after the newest one."""
    newest = next(iter(segments(directory, name)), None)
    number = 1 + (_number(newest, name) if newest else 0)
    return directory / f"{name}-{number:0{_DIGITS}}.jsonl"


def _number(path: Path, name: str) -> int:
    digits = path.stem[len(name) + 1 :]
    return int(digits) if digits.isdigit() else 0


class Segment:
    """A file open for appending.

    It is written as a draft and renamed after its first complete write, so that a reader never
    finds a segment without its snapshot, however the writer died.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._draft = path.with_suffix(".draft")
        self._named = False
        self._torn = False
        self._fd = -1

    def write(self, lines: bytes) -> None:
        """Append complete lines; `size` is then the number of bytes in the file.

        Raises OSError after a partial write; the next write first truncates the torn line.
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
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(self._draft, flags, 0o600)

    def _append(self, lines: bytes) -> None:
        """Write until everything is written; short writes only happen shortly before an error."""
        done, size = 0, len(lines)
        try:
            while done < size:
                done += os.write(self._fd, lines[done:] if done else lines)
        finally:
            whole = done if done == size else lines.rfind(b"\n", 0, done) + 1
            self._torn = whole != done
            self.size += whole
