"""Choosing a replica for a request, by load and by prompt cache. Pure.

    overflow  overflow servers get a request only if no other replica has a free slot
    share     a replica with more than its share of the work is skipped, unless at most half of its
              slots are in use: a prompt that everybody sends does not create a hot spot
    soonest   of the others, take the one that finishes the prompt first, given its queued work and
              the part of the prompt that it has not cached
    place     a prompt that no replica has cached goes to one whose cache holds less than its share,
              if that costs no more than processing the prompt once; among equals, rendezvous
              hashing decides, so that gateways agree without communicating

Work is what `Pace` predicts, in prompt tokens.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final, Protocol, TypeVar

from oxlo.fleet.pace import TOKEN_BYTES
from oxlo.fleet.prefixes import Prefixes
from oxlo.wire.marks import length

#: A replica may have this multiple of the mean work per slot.
SHARE: Final = 1.25
#: Differences below this many prompt tokens are ignored; and the same in bytes.
AS_GOOD: Final = 64.0
_ALIKE: Final = 256


class Demand:
    """The predicted work of a request."""

    __slots__ = ("answer", "marks", "prompt")

    def __init__(self, marks: list[int], prompt: float, answer: float) -> None:
        #: Prefix marks of its prompt (`wire/marks.py`); empty: nothing of it is cached.
        self.marks = marks
        #: Predicted work, in prompt tokens.
        self.prompt = prompt
        self.answer = answer

    @property
    def work(self) -> float:
        """Total work if nothing is cached."""
        return self.prompt + self.answer


class Candidate(Protocol):
    """A replica as the router sees it."""

    @property
    def id(self) -> str:
        """The replica's id."""
        ...

    @property
    def slots(self) -> int:
        """Number of concurrent requests."""
        ...

    @property
    def in_use(self) -> int:
        """Slots in use."""
        ...

    @property
    def overflow(self) -> int:
        """Above 0: used only while no healthy replica with a lower number has a free slot."""
        ...

    @property
    def work(self) -> float:
        """Predicted work of its running requests."""
        ...

    @property
    def prefixes(self) -> Prefixes:
        """The prompts that it has probably cached."""
        ...

    @property
    def broken_until(self) -> float:
        """When its circuit breaker lets requests pass again, by the clock of `now`."""
        ...


C = TypeVar("C", bound=Candidate)


def choose(candidates: Sequence[C], demand: Demand, now: float) -> C | None:
    """The replica for a request; None if no slot is free.

    A replica with an open breaker is chosen only if all are open: then an immediate error is better
    than waiting.
    """
    if len(candidates) == 1:  # the common case
        only = candidates[0]
        return only if only.in_use < only.slots else None
    usable = [c for c in candidates if c.broken_until <= now] or candidates
    free = [c for c in usable if c.in_use < c.slots]
    if len(free) < 2:
        return free[0] if free else None
    first = min(c.overflow for c in free)
    level = [c for c in free if c.overflow == first]
    if len(level) == 1:
        return level[0]
    return _soonest(
        _within_share(level, [c for c in usable if c.overflow == first], demand), demand
    )


def uncached(candidate: Candidate, demand: Demand) -> float:
    """The work of a request at a replica, without the cached part of its prompt."""
    covered = candidate.prefixes.covered(demand.marks) / TOKEN_BYTES if demand.marks else 0.0
    return max(0.0, demand.prompt - covered) + demand.answer


def _within_share(free: list[C], usable: Sequence[C], demand: Demand) -> list[C]:
    """Replicas with at most their share of the work; never empty."""
    work, slots = 0.0, 0
    for candidate in usable:
        work += candidate.work
        slots += candidate.slots
    most = SHARE * (work + demand.work) / slots
    return [c for c in free if c.in_use * 2 <= c.slots or c.work / c.slots < most] or free


def _soonest(near: list[C], demand: Demand) -> C:
    waits = [c.work / c.slots + uncached(c, demand) for c in near]
    soonest = min(waits)
    if not demand.marks:
        return min((c for c, w in zip(near, waits, strict=True) if w <= soonest + 1), key=_load)
    best = near[waits.index(soonest)]
    covered = best.prefixes.covered(demand.marks)
    new = max(AS_GOOD, demand.prompt - covered / TOKEN_BYTES)
    able = [
        (wait, c)
        for wait, c in zip(waits, near, strict=True)
        if wait <= soonest + new and abs(c.prefixes.covered(demand.marks) - covered) <= _ALIKE
    ]
    return able[0][1] if len(able) == 1 else _place(able, demand, covered)


def _place(able: list[tuple[float, C]], demand: Demand, covered: int) -> C:
    """The replica to cache a prompt that no replica has cached."""
    new = [mark for mark in demand.marks if length(mark) > covered + _ALIKE] or demand.marks
    added = max(0, length(demand.marks[-1]) - covered)
    share = (sum(c.prefixes.size for _, c in able) + added) / len(able)
    emptier = [(wait, c) for wait, c in able if c.prefixes.size < share] or able
    most = min(wait for wait, _ in emptier) + AS_GOOD
    as_good = [c for wait, c in emptier if wait <= most]
    return max(as_good, key=lambda c: _affinity(new[0], c.id))


def _load(candidate: Candidate) -> float:
    return candidate.in_use / candidate.slots


def _affinity(mark: int, replica: str) -> bytes:
    """Rendezvous hash: if a replica is added or removed, only its own prompts move."""
    return blake2b(f"{mark} {replica}".encode(), digest_size=8).digest()
