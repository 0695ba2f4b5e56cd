"""Engines that share a card are started one after another.

While it loads, an engine measures how much of its card is free and takes what a neighbour claims
meanwhile for its own: two that start together both find no room (seen with vLLM on one H100).
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager


class Turns:
    """Who may start now; engines on other cards, or on none, never wait."""

    def __init__(self) -> None:
        self._cards: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    def taken(self, cards: Iterable[int]) -> bool:
        """Whether another engine is being started on one of these cards."""
        return any(self._cards[card].locked() for card in cards)

    @asynccontextmanager
    async def on(self, cards: Iterable[int]) -> AsyncIterator[None]:
        """A turn on all of these cards, taken in one order so that no two wait for each other."""
        async with AsyncExitStack() as held:
            for card in sorted(cards):
                await held.enter_async_context(self._cards[card])
            yield
