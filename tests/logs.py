"""Logs of running installations, shown when a test fails."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

#: Homes of the running installations.
_HOMES: list[Path] = []
_LINES = 15


@contextlib.contextmanager
def shown(home: Path) -> Iterator[None]:
    """Show this home's logs if a test fails within the context."""
    _HOMES.append(home)
    try:
        yield
    finally:
        _HOMES.remove(home)


def ends() -> Iterator[tuple[str, str]]:
    """The names of the logs, each with its last lines."""
    for home in _HOMES:
        for path in sorted((home / "logs").glob("*.log")):
            lines = path.read_text(errors="replace").splitlines()[-_LINES:]
            yield f"{home.name}: {path.name}", "\n".join(lines)
