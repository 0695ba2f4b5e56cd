"""Paired measurement: rounds interleave all ways, so that noise affects them alike."""

from collections.abc import Callable, Mapping
from typing import TypeVar

#: Seconds by name of the way.
Round = dict[str, float]

T = TypeVar("T")


def measured(ways: Mapping[str, Callable[[], T]], rounds: int) -> list[dict[str, T]]:
    """Measure each way in each round, in alternating order."""
    for way in ways.values():
        way()  # warm-up
    return [_round(ways, list(ways)[:: 1 if number % 2 else -1]) for number in range(rounds)]


def _round(ways: Mapping[str, Callable[[], T]], order: list[str]) -> dict[str, T]:
    return {name: ways[name]() for name in order}
