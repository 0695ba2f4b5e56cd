"""An engine's memory: given back when there is nothing to do, and bounded for good.

Libraries that decode and compute leak now and then. An engine that has grown over its limit, and
stays there with nothing to do, ends: the fleet starts it anew.
"""

import asyncio
import ctypes
import gc
from pathlib import Path

from oxlo.serving.work import Workers

#: Seconds between two looks.
LOOK = 5.0
_STATM = Path("/proc/self/statm")
_PAGE = 4096


def give_back() -> None:
    """Return to the system what nobody needs any more; glibc would keep it for later."""
    gc.collect()
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)


def resident_mb() -> int:
    """What the process takes; 0 where the system does not say."""
    return int(_STATM.read_text().split()[1]) * _PAGE >> 20 if _STATM.exists() else 0


async def outgrown(workers: Workers, limit_mb: int, look: float = LOOK) -> int:
    """Give memory back after work; return what the process takes once that is over the limit.

    A limit of 0 is none.
    """
    seen = workers.steps
    while True:
        await asyncio.sleep(look)
        if workers.busy or workers.steps == seen:
            continue
        seen = workers.steps
        give_back()
        if limit_mb and (taken := resident_mb()) > limit_mb:
            return taken
