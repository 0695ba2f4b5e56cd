"""Plans that an operator edits at runtime, and all their versions.

`HOME/plans.toml` is in force; `HOME/plans/0007.toml` are the versions. Processes poll whether the
file was replaced; if it cannot be read, they keep the plans that they have.
"""

import os
from pathlib import Path

import msgspec
import structlog

from oxlo.plans import Plans, load, parse

log = structlog.get_logger()


class Watched:
    """A plans file that may be replaced at any time."""

    def __init__(self, path: Path | None) -> None:
        """None: the default plans, which never change."""
        self._path = path
        self._stamp = self._look()

    def changed(self) -> Plans | None:
        """The plans, if the file was replaced since the last call and is readable."""
        stamp = self._look()
        if stamp == self._stamp:
            return None
        self._stamp = stamp
        try:
            found = load(self._path if stamp else None)
        except (msgspec.ValidationError, OSError) as error:
            log.warning("plans.unreadable", error=str(error))
            return None
        log.info("plans.changed", plans=[plan.id for plan in found])
        return found

    def _look(self) -> tuple[int, int] | None:
        try:
            stat = self._path.stat() if self._path else None
        except OSError:
            return None
        return (stat.st_mtime_ns, stat.st_ino) if stat else None


def save(folder: Path, current: Path, text: str) -> int:
    """Put plans in force; returns the version. Raises msgspec.ValidationError, OSError."""
    parse(text, "the new plans")
    folder.mkdir(exist_ok=True)
    version = max(versions(folder), default=0) + 1
    with (folder / f"{version:04}.toml").open("x") as kept:
        kept.write(text)
    draft = current.with_suffix(f".{os.getpid()}.tmp")
    draft.write_text(text)
    draft.replace(current)
    return version


def versions(folder: Path) -> list[int]:
    """All versions, oldest first."""
    return sorted(int(path.stem) for path in folder.glob("[0-9]*.toml") if path.stem.isdigit())


def read(folder: Path, version: int) -> str:
    """The text of a version. Raises FileNotFoundError."""
    return (folder / f"{version:04}.toml").read_text()
