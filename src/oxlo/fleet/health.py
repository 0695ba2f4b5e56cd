"""Whether an engine is well, from what its polls said; pure.

Health is progress. An engine that works and moves is well, however slow it is and however long a
poll takes: a long prompt may keep llama.cpp from answering polls for seconds. It is sick when it
had work and did not move, or did not answer at all, for the whole of `stall` seconds, or when it
refuses connections.
"""

from dataclasses import dataclass, replace
from typing import Literal

from oxlo.engines.probe import Progress

#: Refused connections in a row; one may be a full backlog.
_REFUSALS = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """One poll. `silent`: the engine lives but did not answer in time."""

    at: float
    outcome: Literal["answered", "silent", "refused"]
    progress: Progress | None = None
    #: What a refusal said.
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """What the samples so far amount to; times are of a monotonic clock, in seconds."""

    #: When it last moved, or had nothing to do.
    moved_at: float
    answered_at: float
    busy: int = 0
    work: float = -1.0
    refusals: int = 0
    detail: str = ""

    @classmethod
    def fresh(cls, now: float) -> "Health":
        """Of an engine that was just seen to answer."""
        return cls(moved_at=now, answered_at=now)

    def after(self, sample: Sample) -> "Health":
        """With one more sample."""
        if sample.outcome == "refused":
            return replace(self, refusals=self.refusals + 1, detail=sample.detail)
        if sample.outcome == "silent":
            return replace(self, refusals=0)
        seen = replace(self, answered_at=sample.at, refusals=0)
        return seen._moved(sample.at, sample.progress)

    def _moved(self, at: float, progress: Progress | None) -> "Health":
        if progress is None:
            return replace(self, moved_at=at, busy=0)
        moved = progress.busy == 0 or progress.work != self.work
        moved_at = at if moved else self.moved_at
        return replace(self, moved_at=moved_at, busy=progress.busy, work=progress.work)

    def sickness(self, now: float, stall: float) -> str:
        """Why the engine is sick; "" while it is well."""
        if self.refusals >= _REFUSALS:
            return f"refused {self.refusals} polls in a row: {self.detail}"
        if now - self.answered_at >= stall:
            return f"did not answer for {now - self.answered_at:.0f} s"
        if now - self.moved_at >= stall:
            return f"{self.busy} calls under way and no progress for {now - self.moved_at:.0f} s"
        return ""
