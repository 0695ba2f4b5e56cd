"""Waiting for conditions and for the clock."""

import asyncio
import time
from collections.abc import Callable

#: Timeout in seconds for anything that should happen, generous enough for an overloaded machine.
PATIENCE = 60.0


async def until(condition: Callable[[], object]) -> None:
    """Run the event loop until a condition holds. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.001)


def clear_of_midnight(seconds: float = 90.0) -> None:
    """Wait for the next UTC day if this one is nearly over, because daily counts reset."""
    left = 86_400 - time.time() % 86_400
    if left < seconds:
        time.sleep(left)
