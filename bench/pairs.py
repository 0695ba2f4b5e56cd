"""The same work done in several ways, in turns: what disturbs one round disturbs all of it."""

from collections.abc import Callable, Mapping
from typing import TypeVar

#: Seconds, by the way's name.
Round = dict[str, float]

T = TypeVar("T")


def measured(ways: Mapping[str, Callable[[], T]], rounds: int) -> list[dict[str, T]]:
    """What each way took in each round; who goes first takes turns, too."""
    for way in ways.values():
        way()  # the first round warms all of them up
    return [_round(ways, list(ways)[:: 1 if number % 2 else -1]) for number in range(rounds)]


def _round(ways: Mapping[str, Callable[[], T]], order: list[str]) -> dict[str, T]:
    return {name: ways[name]() for name in order}
