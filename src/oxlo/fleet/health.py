"""Whether an engine is well, from what its polls said; pure.

Health is progress. An engine that works and moves is well, however slow it is and however long a
poll takes: a long prompt may keep llama.cpp from answering polls for seconds. It is sick when it
had work and did not move, or did not answer at all, for the whole of `stall` seconds, or when it
refuses connections. Time in which it wanted a CPU and got none is not its own: on a machine with
ten times too much to do, a batch takes ten times as long, and a hang that spins is seen as much
later.
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
    sampled_at: float
    busy: int = 0
    work: float = -1.0
    refusals: int = 0
    detail: str = ""
    #: Seconds that it waited for a CPU, since it last answered and since it last moved.
    starved_silent: float = 0.0
    starved_still: float = 0.0

    @classmethod
    def fresh(cls, now: float) -> "Health":
        """Of an engine that was just seen to answer."""
        return cls(moved_at=now, answered_at=now, sampled_at=now)

    def after(self, sample: Sample) -> "Health":
        """With one more sample."""
        return replace(self, sampled_at=sample.at)._with(sample)

    def _with(self, sample: Sample) -> "Health":
        if sample.outcome == "refused":
            return replace(self, refusals=self.refusals + 1, detail=sample.detail)
        if sample.outcome == "silent":
            return replace(self, refusals=0)
        seen = replace(self, answered_at=sample.at, refusals=0, starved_silent=0.0)
        return seen._moved(sample.at, sample.progress)

    def starved(self, seconds: float) -> "Health":
        """When it waited for a CPU for so many of the latest seconds."""
        return replace(
            self,
            starved_silent=self.starved_silent + seconds,
            starved_still=self.starved_still + seconds,
        )

    @property
    def moves(self) -> bool:
        """Whether its latest sample showed that it is well."""
        return self.moved_at == self.sampled_at

    def _moved(self, at: float, progress: Progress | None) -> "Health":
        if progress is None:
            return replace(self, moved_at=at, busy=0, starved_still=0.0)
        if progress.busy and progress.work == self.work:
            return replace(self, busy=progress.busy)
        return replace(self, moved_at=at, busy=progress.busy, work=progress.work, starved_still=0.0)

    def sickness(self, now: float, stall: float) -> str:
        """Why the engine is sick; "" while it is well."""
        if self.refusals >= _REFUSALS:
            return f"refused {self.refusals} polls in a row: {self.detail}"
        silent, still = now - self.answered_at, now - self.moved_at
        if silent - self.starved_silent >= stall:
            return f"did not answer for {silent:.0f} s{_waited(self.starved_silent)}"
        if still - self.starved_still >= stall:
            said = f"{self.busy} calls under way and no progress for {still:.0f} s"
            return said + _waited(self.starved_still)
        return ""


def _waited(starved: float) -> str:
    """What to add of an engine that waited for a CPU for a second or more."""
    return f", {starved:.0f} s of them waiting for a CPU" if starved >= 1 else ""
