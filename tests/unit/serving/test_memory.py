"""An idle engine releases memory, and stops above its limit."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from tests.waiting import PATIENCE

from oxlo.serving.memory import watch_memory
from oxlo.serving.work import Workers

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")


TAKES = """
from oxlo.serving.memory import resident_mb

before = resident_mb()
block = b"\\1" * (64 << 20)
print(resident_mb() - before)
"""


def test_memory_is_seen() -> None:
    """In megabytes, measured in a fresh process, as this one may have freed memory to reuse."""
    run = subprocess.run([sys.executable, "-c", TAKES], capture_output=True, text=True, check=True)
    assert int(run.stdout) >= 60


async def test_an_engine_that_has_grown_ends() -> None:
    """After work, as soon as it is idle."""
    workers = Workers(1)
    ended = asyncio.create_task(watch_memory(workers, 1, interval=0.001))
    await asyncio.sleep(0)
    workers.busy += 1
    workers.progressed()
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert not ended.done()
    workers.busy -= 1
    assert await asyncio.wait_for(ended, PATIENCE) > 1


@pytest.mark.parametrize("limit", [0, 1 << 20])
async def test_an_engine_within_its_limit_goes_on(limit: int) -> None:
    """So does one without a limit."""
    workers = Workers(1)
    ended = asyncio.create_task(watch_memory(workers, limit, interval=0.001))
    for _ in range(3):  # each check has to walk through all of this process' memory
        workers.progressed()
        await asyncio.sleep(0.001)
    assert not ended.done()
    ended.cancel()
