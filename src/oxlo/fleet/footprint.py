"""Memory of a process and its descendants, as Linux reports it."""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from oxlo.fleet.registry import Replica

_KIB = 1024


def memory_bytes(pid: int) -> int | None:
    """Memory of a process and its descendants, in bytes; None if the system does not report it.

    Pages that several of them share, such as weights mapped from a file, count once.
    """
    sizes = [size for each in _processes(pid) if (size := _proportional(each)) is not None]
    return sum(sizes) if sizes else None


def by_replica(replicas: Iterable[Replica]) -> dict[str, int]:
    """Memory in bytes by replica id, of those whose processes the system reports."""
    found = {replica.id: memory_bytes(replica.pid) for replica in replicas if replica.pid}
    return {name: size for name, size in found.items() if size is not None}


def _proportional(pid: int) -> int | None:
    """A process's proportional set size, in bytes."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended, belongs to another user, or this is not Linux
        return None
    return sum(int(line.split()[1]) * _KIB for line in lines if line.startswith("Pss:"))


def _processes(pid: int) -> Iterator[int]:
    """The process and its descendants."""
    yield pid
    with contextlib.suppress(OSError):
        for thread in list(Path(f"/proc/{pid}/task").iterdir()):
            for child in (thread / "children").read_bytes().split():
                yield from _processes(int(child))
