"""Which replica a call goes to: a pure function of their load and of what their caches hold.

    overflow  servers elsewhere that stand by get a call only when nobody else has a free slot
    share     a replica that has more than its share of the work is passed over, unless at most
              half of its slots are taken: so one prompt that everybody sends makes no hot spot
    soonest   of the others, the one where the prompt is read first: what it has to do before,
              and what of the prompt is not in its cache
    place     what nobody's cache holds yet goes where the cache holds less than its share, if that
              costs no more than to read it once; where several are as good, to the one that its
              hash names: gateways agree without talking

Work is what `Pace` predicts, in tokens of prompt.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final, Protocol, TypeVar

from oxlo.fleet.pace import TOKEN_BYTES
from oxlo.fleet.prefixes import Prefixes
from oxlo.wire.marks import length

#: Times the mean work per slot that a replica may have before it gets one more call.
SHARE: Final = 1.25
#: Tokens of prompt that are not worth a difference; and the same in bytes.
AS_GOOD: Final = 64.0
_ALIKE: Final = 256


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
    def overflow(self) -> int:
        """Above 0: it gets calls only while none of a lower number has a free slot and works."""
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
        """Until when its breaker keeps calls away, by the clock of `now`."""
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
    first = min(c.overflow for c in free)
    level = [c for c in free if c.overflow == first]
    if len(level) == 1:
        return level[0]
    return _soonest(
        _within_share(level, [c for c in usable if c.overflow == first], demand), demand
    )


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
    """Where a beginning that nobody holds is to be kept."""
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
    """Rendezvous hash: when a replica comes or goes, only its own prompts move."""
    return blake2b(f"{mark} {replica}".encode(), digest_size=8).digest()
