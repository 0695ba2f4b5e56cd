"""Which models are ready, from the fleet's list of replicas."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from oxlo.fleet import registry
from oxlo.fleet.registry import Replica, ReplicaState

State = Literal["ready", "starting", "failing", "absent"]

_STATES: Mapping[ReplicaState, State] = {
    ReplicaState.READY: "ready",
    ReplicaState.STARTING: "starting",
    ReplicaState.WARMING: "starting",
    ReplicaState.SICK: "failing",
}
#: Best state first.
_BEST: tuple[State, ...] = ("ready", "starting", "failing")


class Readiness:
    """State of models, by id."""

    def __init__(self, replicas: Iterable[Replica]) -> None:
        self._replicas: dict[str, list[Replica]] = {}
        for replica in replicas:
            self._replicas.setdefault(replica.model, []).append(replica)

    def state(self, model: str) -> State:
        """State of a model's best replica."""
        states = {_STATES.get(r.state) for r in self._replicas.get(model, ())}
        return next((state for state in _BEST if state in states), "absent")

    def context(self, model: str) -> int:
        """Context length in tokens; 0 if there is no replica."""
        return max((r.context_length for r in self._replicas.get(model, ())), default=0)

    def replicas(self, model: str) -> list[Replica]:
        """Replicas of a model."""
        return self._replicas.get(model, [])

    @property
    def models(self) -> list[str]:
        """Models that have a replica in any state."""
        return list(self._replicas)


def read(path: Path) -> Readiness:
    """Read the list; a missing file is an empty list."""
    return Readiness(registry.read(path).replicas)
