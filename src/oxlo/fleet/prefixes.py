"""Which beginnings of prompts a replica's cache probably holds."""

from collections import OrderedDict

from oxlo.wire.marks import length


class Prefixes:
    """Marks of the prompts that a replica was sent; those used longest ago are forgotten first.

    It is a guess, as good as the gateway's knowledge of what the replica was sent: a wrong one
    costs the time to read a prompt again.
    """

    __slots__ = ("_held", "_limit", "size")

    def __init__(self, limit: int) -> None:
        """Bytes of prompts that the replica's cache has room for."""
        self._limit = limit
        self._held: OrderedDict[int, int] = OrderedDict()
        #: Bytes of prompts that it holds.
        self.size = 0

    def covered(self, marks: list[int]) -> int:
        """Bytes of a prompt's beginning that it holds."""
        for index in range(len(marks) - 1, -1, -1):
            if marks[index] in self._held:
                return length(marks[index])
        return 0

    def note(self, marks: list[int]) -> None:
        """The replica was sent this prompt. Its beginning is forgotten last: it may be shared."""
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
