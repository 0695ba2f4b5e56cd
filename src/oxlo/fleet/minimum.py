"""How many engines of each model have to be ready, and which models have fewer."""

from collections.abc import Iterable, Mapping

import structlog

from oxlo.fleet.registry import Replica, ReplicaState

log = structlog.get_logger("oxlo.fleet")


def ready(replicas: Iterable[Replica], model: str, but: str = "") -> int:
    """Engines of a model that take calls, `but` one; what only helps out is not counted."""
    return sum(
        r.model == model and r.id != but and not r.overflow and r.state is ReplicaState.READY
        for r in replicas
    )


class Watch:
    """Says in the log when a model falls below its minimum, and when it is there again."""

    def __init__(self, least: Mapping[str, int]) -> None:
        self._least = least
        #: Models that had as many as they have to when last looked at, or had too few.
        self._enough: dict[str, bool] = {}

    def look(self, replicas: Iterable[Replica]) -> None:
        """Compare; a model that is started for the first time is not below anything yet."""
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
