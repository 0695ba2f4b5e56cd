"""Selection of the texts that share a run; pure.

A run has a fixed overhead, equal to that of some tokens, and each of its texts costs as much as the
longest. So texts of similar length share a run, whichever request they belong to, until padding
would cost more than a separate run.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import repeat
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Costs:
    """Limits of a run, in tokens."""

    #: Maximum size of a run, including padding; a longer text runs alone.
    batch: int
    #: Fixed overhead of a run.
    run: int


class Piece(NamedTuple):
    """A pending text: its request, its place among that request's texts, and its length."""

    request: int
    place: int
    length: int


def choose(pending: Sequence[Sequence[int]], costs: Costs) -> list[Piece]:
    """Choose the texts of the next run, longest first.

    `pending` has the lengths of each request's texts, shortest first. The first request's longest
    text is always chosen, so rotating the requests guarantees progress for all of them.
    """
    longest = pending[0][-1]
    chosen: list[Piece] = []
    padding = 0
    for piece in merge(
        *map(_pieces, range(len(pending)), pending, repeat(longest)), key=_shortness
    ):
        padding += longest - piece.length
        if chosen and (padding > costs.run or (len(chosen) + 1) * longest > costs.batch):
            break
        chosen.append(piece)
    return chosen


def _pieces(request: int, lengths: Sequence[int], longest: int) -> Iterator[Piece]:
    """Iterate over a request's texts of at most `longest` tokens, longest first."""
    for place in range(bisect_right(lengths, longest) - 1, -1, -1):
        yield Piece(request, place, lengths[place])


def _shortness(piece: Piece) -> int:
    return -piece.length
