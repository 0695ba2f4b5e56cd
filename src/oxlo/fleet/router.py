"""Which replica a call goes to: a pure function of their load and of the prompt's beginning."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Protocol, TypeVar

#: Replicas whose load (share of slots taken) is this close to the lowest are as good as it is:
#: among them a prompt goes where its beginning is cached. Wider makes hot spots, narrower misses.
LOAD_WINDOW = 0.25


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
    def broken_until(self) -> float:
        """Unix seconds until which its breaker keeps calls away."""
        ...


C = TypeVar("C", bound=Candidate)


def choose(candidates: Sequence[C], prefix: int | None, now: float) -> C | None:
    """The replica for a call whose prompt's beginning hashes to `prefix`; None: no free slot.

    Without a prefix (None or 0) it is the least loaded one. A broken replica is chosen only when
    all are: then a true error at once is better than a wait for nothing.
    """
    if len(candidates) == 1:  # most models have one replica: nothing is to be weighed
        only = candidates[0]
        return only if only.in_use < only.slots else None
    usable = [c for c in candidates if c.broken_until <= now] or candidates
    free = [c for c in usable if c.in_use < c.slots]
    if len(free) < 2:
        return free[0] if free else None
    if not prefix:
        return min(free, key=_load)
    most = min(map(_load, free)) + LOAD_WINDOW
    near = [c for c in free if _load(c) <= most]
    return max(near, key=lambda c: _affinity(prefix, c.id))


def _load(candidate: Candidate) -> float:
    return candidate.in_use / candidate.slots


def _affinity(prefix: int, replica: str) -> bytes:
    """Rendezvous hash: when a replica comes or goes, only its own prompts move."""
    return blake2b(f"{prefix} {replica}".encode(), digest_size=8).digest()
