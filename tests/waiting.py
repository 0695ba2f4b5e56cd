"""Waiting in tests for what other tasks bring about."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object]) -> None:
    """Let the loop go on until something is true. Raises TimeoutError."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)
