"""The minimum number of ready engines of each model, and warnings if there are fewer."""

from collections.abc import Iterable, Mapping

import structlog

from oxlo.fleet.registry import Replica, ReplicaState

log = structlog.get_logger("oxlo.fleet")


def ready(replicas: Iterable[Replica], model: str, but: str = "") -> int:
    """Number of ready engines of a model, except `but`; overflow servers do not count."""
    return sum(
        r.model == model and r.id != but and not r.overflow and r.state is ReplicaState.READY
        for r in replicas
    )


class Watch:
    """Logs when a model falls below its minimum, and when it recovers."""

    def __init__(self, least: Mapping[str, int]) -> None:
        self._least = least
        #: Whether each model had enough at the last check.
        self._enough: dict[str, bool] = {}

    def look(self, replicas: Iterable[Replica]) -> None:
        """Check all models; one that has never had enough is still starting."""
        listed = tuple(replicas)
        for model, least in self._least.items():
            found = ready(listed, model)
            before, now = self._enough.get(model), found >= least
            if now or before is not None:
                self._enough[model] = now
            if now and before is False:
                log.info("model.at_minimum", model=model, ready=found, minimum=least)
            elif before and not now:
                log.warning("model.below_minimum", model=model, ready=found, minimum=least)
