"""Judging an engine's health from its polls. Pure.

Health is progress. An engine that makes progress is healthy, however slow it is and however long a
poll takes: a long prompt may keep llama.cpp from answering polls for seconds. It is sick if for
`stall` seconds it had work without progress or did not answer at all, or if it refuses
connections. Time in which it was starved of CPU does not count: on a machine with ten times too
much load, a batch takes ten times as long, and a spinning hang is detected as much later.
"""

from dataclasses import dataclass, replace
from typing import Literal

from oxlo.engines.probe import Progress

#: Refused polls in a row that count as sick; a single one may be a full backlog.
_REFUSALS = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """One poll. `silent`: the process is alive but did not answer in time."""

    at: float
    outcome: Literal["answered", "silent", "refused"]
    progress: Progress | None = None
    #: The error of a refused poll.
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """The state after all samples so far; times are of a monotonic clock, in seconds."""

    #: When it last made progress, or had nothing to do.
    moved_at: float
    answered_at: float
    sampled_at: float
    busy: int = 0
    work: float = -1.0
    refusals: int = 0
    detail: str = ""
    #: Seconds of CPU starvation since the last answer, and since the last progress.
    starved_silent: float = 0.0
    starved_still: float = 0.0

    @classmethod
    def fresh(cls, now: float) -> "Health":
        """The state of an engine that has just answered."""
        return cls(moved_at=now, answered_at=now, sampled_at=now)

    def after(self, sample: Sample) -> "Health":
        """The state after one more sample."""
        return replace(self, sampled_at=sample.at)._with(sample)

    def _with(self, sample: Sample) -> "Health":
        if sample.outcome == "refused":
            return replace(self, refusals=self.refusals + 1, detail=sample.detail)
        if sample.outcome == "silent":
            return replace(self, refusals=0)
        seen = replace(self, answered_at=sample.at, refusals=0, starved_silent=0.0)
        return seen._moved(sample.at, sample.progress)

    def starved(self, seconds: float) -> "Health":
        """The state after `seconds` of CPU starvation."""
        return replace(
            self,
            starved_silent=self.starved_silent + seconds,
            starved_still=self.starved_still + seconds,
        )

    @property
    def moves(self) -> bool:
        """Whether the latest sample showed progress, or nothing to do."""
        return self.moved_at == self.sampled_at

    def _moved(self, at: float, progress: Progress | None) -> "Health":
        if progress is None:
            return replace(self, moved_at=at, busy=0, starved_still=0.0)
        if progress.busy and progress.work == self.work:
            return replace(self, busy=progress.busy)
        return replace(self, moved_at=at, busy=progress.busy, work=progress.work, starved_still=0.0)

    def sickness(self, now: float, stall: float) -> str:
        """Why the engine is sick; "" if it is healthy."""
        if self.refusals >= _REFUSALS:
            return f"refused {self.refusals} polls in a row: {self.detail}"
        silent, still = now - self.answered_at, now - self.moved_at
        if silent - self.starved_silent >= stall:
            return f"did not answer for {silent:.0f} s{_waited(self.starved_silent)}"
        if still - self.starved_still >= stall:
            reason = f"{self.busy} calls under way and no progress for {still:.0f} s"
            return reason + _waited(self.starved_still)
        return ""


def _waited(starved: float) -> str:
    """A note about starvation, if it was a second or more."""
    return f", {starved:.0f} s of them waiting for a CPU" if starved >= 1 else ""
