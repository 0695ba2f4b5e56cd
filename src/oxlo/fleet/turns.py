"""Starting engines that share a GPU one after another.

While it loads, an engine measures the free memory of its GPU and counts what another one allocates
meanwhile as its own: two that start together both run out of memory (seen with vLLM on an H100).
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager


class Turns:
    """A lock for each GPU; engines on other GPUs, or on none, never wait."""

    def __init__(self) -> None:
        self._cards: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    def taken(self, cards: Iterable[int]) -> bool:
        """Whether another engine is starting on one of these GPUs."""
        return any(self._cards[card].locked() for card in cards)

    @asynccontextmanager
    async def on(self, cards: Iterable[int]) -> AsyncIterator[None]:
        """Hold all of these GPUs; locked in a fixed order, so that there is no deadlock."""
        async with AsyncExitStack() as held:
            for card in sorted(cards):
                await held.enter_async_context(self._cards[card])
            yield
