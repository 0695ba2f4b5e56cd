"""Which of the waiting texts are run together; pure.

A run costs about as much as some tokens more, whatever it holds, and each of its texts as much as
the longest. So texts of about the same length share a run, whosever they are, until padding would
cost more than a run of their own.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import repeat
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Costs:
    """What bounds a run, in tokens."""

    #: Of one run at most, padding included; a longer text has a run of its own.
    batch: int
    #: What a run costs beside its texts.
    run: int


class Piece(NamedTuple):
    """One text of one call: `calls[call]`, its `left[place]`."""

    call: int
    place: int
    length: int


def choose(left: Sequence[Sequence[int]], costs: Costs) -> list[Piece]:
    """The next run, the longest text first.

    `left` has, for each waiting call, the lengths of its texts, the shortest first. The first
    call's longest text is always among those chosen, so that calls which take turns at being the
    first all come to their end.
    """
    longest = left[0][-1]
    chosen: list[Piece] = []
    padding = 0
    for piece in merge(*map(_pieces, range(len(left)), left, repeat(longest)), key=_shortness):
        padding += longest - piece.length
        if chosen and (padding > costs.run or (len(chosen) + 1) * longest > costs.batch):
            break
        chosen.append(piece)
    return chosen


def _pieces(call: int, lengths: Sequence[int], longest: int) -> Iterator[Piece]:
    """A call's texts of at most `longest` tokens, the longest first."""
    for place in range(bisect_right(lengths, longest) - 1, -1, -1):
        yield Piece(call, place, lengths[place])


def _shortness(piece: Piece) -> int:
    return -piece.length
