"""Estimating which prompt prefixes are in a replica's cache."""

from collections import OrderedDict

from oxlo.wire.marks import length


class Prefixes:
    """Marks of the prompts sent to a replica, evicted least recently used first.

    This is an estimate, because other gateways send requests, too. A wrong one costs the time
    to process a prompt again.
    """

    __slots__ = ("_held", "_limit", "size")

    def __init__(self, limit: int) -> None:
        """`limit` is the capacity of the replica's cache, in bytes of prompts."""
        self._limit = limit
        self._held: OrderedDict[int, int] = OrderedDict()
        #: Bytes of prompts that it probably holds.
        self.size = 0

    def covered(self, marks: list[int]) -> int:
        """Length in bytes of the longest cached prefix of a prompt."""
        for index in range(len(marks) - 1, -1, -1):
            if marks[index] in self._held:
                return length(marks[index])
        return 0

    def note(self, marks: list[int]) -> None:
        """Record a prompt. Its beginning is evicted last, because other prompts may share it."""
        held = self._held
        for index in range(len(marks) - 1, -1, -1):
            mark = marks[index]
            if mark in held:
                held.move_to_end(mark)
            else:
                span = length(mark) - (length(marks[index - 1]) if index else 0)
                held[mark] = span
                self.size += span
        while self.size > self._limit and len(held) > 1:
            self.size -= held.popitem(last=False)[1]
