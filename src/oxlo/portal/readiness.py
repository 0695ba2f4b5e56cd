"""Which models answer now, from the list of replicas that the fleet writes."""

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
#: The best of a model's replicas counts.
_BEST: tuple[State, ...] = ("ready", "starting", "failing")


class Readiness:
    """What is served here, by model id."""

    def __init__(self, replicas: Iterable[Replica]) -> None:
        self._replicas: dict[str, list[Replica]] = {}
        for replica in replicas:
            self._replicas.setdefault(replica.model, []).append(replica)

    def state(self, model: str) -> State:
        """The state of a model: that of its best replica."""
        found = {_STATES.get(r.state) for r in self._replicas.get(model, ())}
        return next((state for state in _BEST if state in found), "absent")

    def context(self, model: str) -> int:
        """Tokens that a call may have here; 0 where no replica is known."""
        return max((r.context_length for r in self._replicas.get(model, ())), default=0)

    def replicas(self, model: str) -> list[Replica]:
        """A model's replicas."""
        return self._replicas.get(model, [])

    @property
    def models(self) -> list[str]:
        """The models that have a replica in whatever state."""
        return list(self._replicas)


def read(path: Path) -> Readiness:
    """The list as last written; an absent file is an empty list."""
    return Readiness(registry.read(path).replicas)
