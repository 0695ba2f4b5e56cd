"""A process' memory: released when idle, and bounded by a limit.

Libraries for decoding and inference sometimes leak. An engine that is above its limit while idle
exits, and the fleet restarts it. The media process has no limit, and releases what it can.
"""

import asyncio
import ctypes
import gc
from pathlib import Path

from oxlo.serving.work import Workers

#: Seconds between checks.
INTERVAL = 5.0
_STATM = Path("/proc/self/statm")
_PAGE = 4096


def release_memory() -> None:
    """Return freed memory to the system; glibc would keep it otherwise."""
    gc.collect()
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)


def resident_mb() -> int:
    """Return the process's resident memory in MB; 0 if the system does not report it."""
    return int(_STATM.read_text().split()[1]) * _PAGE >> 20 if _STATM.exists() else 0


async def watch_memory(workers: Workers, limit_mb: int, interval: float = INTERVAL) -> int:
    """Release memory after work; return its use in MB once an idle process is above the limit.

    A limit of 0 means unlimited.
    """
    seen = workers.steps
    while True:
        await asyncio.sleep(interval)
        if workers.busy or workers.steps == seen:
            continue
        seen = workers.steps
        release_memory()
        if limit_mb and (used := resident_mb()) > limit_mb:
            return used
