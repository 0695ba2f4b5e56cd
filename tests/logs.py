"""Logs of the installations that a test runs on: what fails shows how they end."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

#: Homes of what runs now.
_HOMES: list[Path] = []
_LINES = 15


@contextlib.contextmanager
def shown(home: Path) -> Iterator[None]:
    """Meanwhile, a test that fails shows this home's logs."""
    _HOMES.append(home)
    try:
        yield
    finally:
        _HOMES.remove(home)


def ends() -> Iterator[tuple[str, str]]:
    """The name of each log, and its last lines."""
    for home in _HOMES:
        for path in sorted((home / "logs").glob("*.log")):
            lines = path.read_text(errors="replace").splitlines()[-_LINES:]
            yield f"{home.name}: {path.name}", "\n".join(lines)
