"""Which replica a call goes to: a pure function of their load and of what their caches hold.

    share     a replica that has more than its share of the work is passed over, unless at most
              half of its slots are taken: so one prompt that everybody sends makes no hot spot
    soonest   of the others, the one where the prompt is read first: what it has to do before,
              and what of the prompt is not in its cache
    place     where several are as good, a new prompt goes to one whose cache holds less than its
              share, and of those to the one that its hash names: gateways agree without talking

Work is what `Pace` predicts, in tokens of prompt.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final, Protocol, TypeVar

from oxlo.fleet.pace import TOKEN_BYTES
from oxlo.fleet.prefixes import Prefixes

#: Times the mean work per slot that a replica may have before it gets one more call.
SHARE: Final = 1.25
#: Tokens of prompt that are not worth a difference.
AS_GOOD: Final = 64.0


class Demand:
    """What a call asks of a replica."""

    __slots__ = ("answer", "marks", "prompt")

    def __init__(self, marks: list[int], prompt: float, answer: float) -> None:
        #: Of its prompt (`wire/marks.py`); empty: nothing of it is kept between calls.
        self.marks = marks
        #: Predicted work, in tokens of prompt.
        self.prompt = prompt
        self.answer = answer

    @property
    def work(self) -> float:
        """In all, where nothing is cached."""
        return self.prompt + self.answer


class Candidate(Protocol):
    """A replica as the router sees it."""

    @property
    def id(self) -> str:
        """Its name."""
        ...

    @property
    def slots(self) -> int:
        """Calls that it serves at once."""
        ...

    @property
    def in_use(self) -> int:
        """Slots that are taken."""
        ...

    @property
    def work(self) -> float:
        """What the calls in them were predicted to take."""
        ...

    @property
    def prefixes(self) -> Prefixes:
        """What its cache probably holds."""
        ...

    @property
    def broken_until(self) -> float:
        """Unix seconds until which its breaker keeps calls away."""
        ...


C = TypeVar("C", bound=Candidate)


def choose(candidates: Sequence[C], demand: Demand, now: float) -> C | None:
    """The replica for a call; None: no free slot.

    A broken replica is chosen only when all are: then a true error at once is better than a wait
    for nothing.
    """
    if len(candidates) == 1:  # most models have one replica: nothing is to be weighed
        only = candidates[0]
        return only if only.in_use < only.slots else None
    usable = [c for c in candidates if c.broken_until <= now] or candidates
    free = [c for c in usable if c.in_use < c.slots]
    if len(free) < 2:
        return free[0] if free else None
    return _soonest(_within_share(free, usable, demand), demand)


def uncached(candidate: Candidate, demand: Demand) -> float:
    """The work of a call at a replica."""
    covered = candidate.prefixes.covered(demand.marks) / TOKEN_BYTES if demand.marks else 0.0
    return max(0.0, demand.prompt - covered) + demand.answer


def _within_share(free: list[C], usable: Sequence[C], demand: Demand) -> list[C]:
    """Those that have not more than their share; never empty: not all are above the mean."""
    work, slots = 0.0, 0
    for candidate in usable:
        work += candidate.work
        slots += candidate.slots
    most = SHARE * (work + demand.work) / slots
    return [c for c in free if c.in_use * 2 <= c.slots or c.work / c.slots < most] or free


def _soonest(near: list[C], demand: Demand) -> C:
    waits = [c.work / c.slots + uncached(c, demand) for c in near]
    most = min(waits) + AS_GOOD
    as_good = [c for c, wait in zip(near, waits, strict=True) if wait <= most]
    if len(as_good) == 1:
        return as_good[0]
    if not demand.marks:
        return min(as_good, key=_load)
    return _place(as_good, demand)


def _place(as_good: list[C], demand: Demand) -> C:
    """Where a beginning that nobody holds is to be kept."""
    covered = max(c.prefixes.covered(demand.marks) for c in as_good)
    new = [mark for mark in demand.marks if mark >> 32 > covered] or demand.marks
    share = (sum(c.prefixes.size for c in as_good) + (new[-1] >> 32) - covered) / len(as_good)
    emptier = [c for c in as_good if c.prefixes.size < share] or as_good
    return max(emptier, key=lambda c: _affinity(new[0], c.id))


def _load(candidate: Candidate) -> float:
    return candidate.in_use / candidate.slots


def _affinity(mark: int, replica: str) -> bytes:
    """Rendezvous hash: when a replica comes or goes, only its own prompts move."""
    return blake2b(f"{mark} {replica}".encode(), digest_size=8).digest()
