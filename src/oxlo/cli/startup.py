"""Progress messages of `oxlo serve`: models that are loading, or cannot start, and why."""

from collections.abc import Callable, Iterable
from pathlib import Path

from oxlo.fleet.registry import Replica, ReplicaState

#: After so many failures in a row a replica is no longer waited for; the fleet still retries.
MAX_FAILURES = 3
#: Seconds without a message before the current state is printed.
QUIET_SECONDS = 15.0
_FIX = "Fix that; Oxlo checks again by itself. If you change variables, restart `oxlo serve`."
_DOING = {ReplicaState.STARTING: "loading", ReplicaState.WARMING: "warming"}


class Startup:
    """Follows the replicas of the models to serve, and reports each change once."""

    def __init__(
        self, models: Iterable[str], logs: Path, say: Callable[[str], None], now: float
    ) -> None:
        """`logs` is the folder of the log files; `now` is in seconds of any monotonic clock."""
        self._models = tuple(models)
        self._logs = logs
        self._say = say
        self._replicas: dict[str, Replica] = {}
        self._failures: dict[str, list[str]] = {}
        self._reported: set[tuple[str, str]] = set()
        self._started = self._last_report = now

    def update(self, replicas: Iterable[Replica], now: float) -> None:
        """Process the fleet's current list of replicas."""
        for replica in replicas:
            before = self._replicas.get(replica.id)
            self._replicas[replica.id] = replica
            if before is None or (before.state, before.since) != (replica.state, replica.since):
                self._on_change(replica, now)
        if now - self._last_report >= QUIET_SECONDS:
            self._last_report = now
            self._say(f"still waiting ({now - self._started:.0f} s): {self._doing()}")

    def _on_change(self, replica: Replica, now: float) -> None:
        """Report a new state, unless reported before: a failing engine repeats its states."""
        if replica.state is ReplicaState.READY:
            self._failures.pop(replica.id, None)
            self._reported = {pair for pair in self._reported if pair[0] != replica.id}
        elif replica.state is ReplicaState.SICK:
            self._failures.setdefault(replica.id, []).append(_reason(replica))
        if text := _message(replica):
            self._report(replica.id, text, now)

    def _report(self, replica_id: str, text: str, now: float) -> None:
        if (replica_id, text) not in self._reported:
            self._reported.add((replica_id, text))
            self._last_report = now
            self._say(text)

    def _doing(self) -> str:
        doing = [
            f"{_DOING[r.state]} {r.model}{_progress(r)}"
            for r in self._replicas.values()
            if r.state in _DOING
        ]
        return ", ".join(doing) or f"the processes to start; their logs are in {self._logs}"

    def is_over(self, ready: Iterable[str]) -> bool:
        """Whether each model is in `ready`, or has failed."""
        return set(self._models) <= {*ready, *self.failed()}

    def failed(self) -> dict[str, str]:
        """Models whose replicas all failed, each with the reason and advice."""
        return {
            model: self._advice(replicas[0])
            for model in self._models
            if (replicas := self._of(model)) and all(map(self._has_failed, replicas))
        }

    def _of(self, model: str) -> list[Replica]:
        return [replica for replica in self._replicas.values() if replica.model == model]

    def _has_failed(self, replica: Replica) -> bool:
        stopped = replica.state is ReplicaState.STOPPED
        return stopped or len(self._failures.get(replica.id, ())) >= MAX_FAILURES

    def _advice(self, replica: Replica) -> str:
        if replica.state is ReplicaState.STOPPED:
            return f"{replica.reason}. {_FIX}"
        failure = self._failures[replica.id][-1]  # by now it may be starting again
        return f"{failure}. It is retried; see {self._log(replica)}."

    def _log(self, replica: Replica) -> Path:
        own = self._logs / f"{replica.id}.log"
        return own if own.exists() else self._logs / "fleet.log"


def _message(replica: Replica) -> str:
    """The message for a state; "" if it is not reported."""
    if replica.state in _DOING:
        return f"{_DOING[replica.state]} {replica.model}"
    if replica.state is ReplicaState.SICK:
        return f"{replica.model}: {_reason(replica)}"
    return ""


def _progress(replica: Replica) -> str:
    """The latest progress message of a loading engine."""
    progress = replica.reason.partition("being started: ")[2]
    return f" ({progress})" if progress else ""


def _reason(replica: Replica) -> str:
    """The reason without the retry delay, which differs from one failure to the next."""
    return replica.reason.partition("; tried again")[0]
