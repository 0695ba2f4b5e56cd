"""The resources of this machine, or of the container in which we run."""

import math
import os
from pathlib import Path

from oxlo.hardware import gpus
from oxlo.hardware.sizing import Machine

_CGROUP = Path("/sys/fs/cgroup")


def here(visible_gpus: str | None = None, *, cgroup: Path = _CGROUP) -> Machine:
    """Cores, memory and GPUs that this process may use; `visible_gpus` as in `gpus.here`."""
    return Machine(
        cores=min(_cores(), _quota(cgroup)),
        memory_mb=min(_memory(), _limit(cgroup)),
        gpus=gpus.here(visible_gpus),
    )


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS has no affinity


def _quota(cgroup: Path) -> int:
    """Cores of a container's CPU quota, which its CPU affinity does not show."""
    quota, _, period = _read(cgroup / "cpu.max").partition(" ")
    return max(1, math.floor(int(quota) / int(period))) if quota.isdigit() else 2**16


def _memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20


def _limit(cgroup: Path) -> int:
    limit = _read(cgroup / "memory.max")
    return int(limit) // 2**20 if limit.isdigit() else 2**32


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:  # no cgroups
        return ""
