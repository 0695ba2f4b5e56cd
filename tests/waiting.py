"""Waiting in tests for what other tasks bring about, and for the clock."""

import asyncio
import time
from collections.abc import Callable

#: Seconds for anything that should happen at all, on a machine with ten times too much to do.
PATIENCE = 60.0


async def until(condition: Callable[[], object]) -> None:
    """Let the loop go on until something is true. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.001)


def clear_of_midnight(seconds: float = 45.0) -> None:
    """Wait for the next UTC day when this one is nearly over: its counts begin anew."""
    left = 86_400 - time.time() % 86_400
    if left < seconds:
        time.sleep(left)
