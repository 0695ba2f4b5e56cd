"""The same work done in several ways, in turns: what disturbs one round disturbs all of it."""

from collections.abc import Callable, Mapping

#: Seconds, by the way's name.
Round = dict[str, float]


def measured(ways: Mapping[str, Callable[[], float]], rounds: int) -> list[Round]:
    """The seconds of each way in each round; who goes first takes turns, too."""
    for way in ways.values():
        way()  # the first round warms all of them up
    return [_round(ways, list(ways)[:: 1 if number % 2 else -1]) for number in range(rounds)]


def _round(ways: Mapping[str, Callable[[], float]], order: list[str]) -> Round:
    return {name: ways[name]() for name in order}
