"""What `oxlo serve` says of its models: which are loading, which cannot start, and why."""

from collections.abc import Callable, Iterable
from pathlib import Path

from oxlo.fleet.registry import Replica, ReplicaState

#: A replica that fails this often in a row is no longer waited for; the fleet tries on.
PATIENCE = 3
#: Seconds without news after which somebody at the terminal is told what is being waited for.
QUIET_SECONDS = 15.0
_LOOKED_AT = "Fix that; Oxlo checks again by itself. If you change variables, restart `oxlo serve`."
_DOING = {ReplicaState.STARTING: "loading", ReplicaState.WARMING: "warming"}


class Startup:
    """Follows the replicas of the models that are to be served, and says each news once."""

    def __init__(
        self, models: Iterable[str], logs: Path, say: Callable[[str], None], now: float
    ) -> None:
        """`logs` is where engines write theirs; `now` in seconds of any steady clock."""
        self._models = tuple(models)
        self._logs = logs
        self._say = say
        self._replicas: dict[str, Replica] = {}
        self._failures: dict[str, int] = {}
        self._told: set[tuple[str, str]] = set()
        self._begun = self._news = now

    def look(self, replicas: Iterable[Replica], now: float) -> None:
        """Take over the list as the fleet has just written it."""
        for replica in replicas:
            before = self._replicas.get(replica.id)
            self._replicas[replica.id] = replica
            if before is None or (before.state, before.since) != (replica.state, replica.since):
                self._entered(replica, now)
        if now - self._news >= QUIET_SECONDS:
            self._news = now
            self._say(f"still waiting ({now - self._begun:.0f} s): {self._doing()}")

    def _entered(self, replica: Replica, now: float) -> None:
        """Say what is new: a failing engine goes through the same states again and again."""
        if replica.state is ReplicaState.READY:
            self._failures.pop(replica.id, None)
            self._told = {(told, text) for told, text in self._told if told != replica.id}
        elif replica.state is ReplicaState.SICK:
            self._failures[replica.id] = self._failures.get(replica.id, 0) + 1
        if text := _words(replica):
            self._tell(replica.id, text, now)

    def _tell(self, replica_id: str, text: str, now: float) -> None:
        if (replica_id, text) not in self._told:
            self._told.add((replica_id, text))
            self._news = now
            self._say(text)

    def _doing(self) -> str:
        doing = [
            f"{_DOING[r.state]} {r.model}{_how_far(r)}"
            for r in self._replicas.values()
            if r.state in _DOING
        ]
        return ", ".join(doing) or f"the processes to start; their logs are in {self._logs}"

    def is_over(self, ready: Iterable[str]) -> bool:
        """Whether each model is one of the `ready`, or cannot become so by waiting."""
        return set(self._models) <= {*ready, *self.troubles()}

    def troubles(self) -> dict[str, str]:
        """Models of which no replica can be waited for, each with why and what to do."""
        return {
            model: self._advice(replicas[0])
            for model in self._models
            if (replicas := self._of(model)) and all(map(self._hopeless, replicas))
        }

    def _of(self, model: str) -> list[Replica]:
        return [replica for replica in self._replicas.values() if replica.model == model]

    def _hopeless(self, replica: Replica) -> bool:
        stopped = replica.state is ReplicaState.STOPPED
        return stopped or self._failures.get(replica.id, 0) >= PATIENCE

    def _advice(self, replica: Replica) -> str:
        if replica.state is ReplicaState.STOPPED:
            return f"{replica.reason}. {_LOOKED_AT}"
        return f"{_reason(replica)}. It is retried; see {self._log(replica)}."

    def _log(self, replica: Replica) -> Path:
        own = self._logs / f"{replica.id}.log"
        return own if own.exists() else self._logs / "fleet.log"


def _words(replica: Replica) -> str:
    """A state in words; "" when it is no news."""
    if replica.state in _DOING:
        return f"{_DOING[replica.state]} {replica.model}"
    if replica.state is ReplicaState.SICK:
        return f"{replica.model}: {_reason(replica)}"
    return ""


def _how_far(replica: Replica) -> str:
    """What an engine that is loading said last."""
    said = replica.reason.partition("being started: ")[2]
    return f" ({said})" if said else ""


def _reason(replica: Replica) -> str:
    """Why, without the wait, which differs from one failure to the next."""
    return replica.reason.partition("; tried again")[0]
