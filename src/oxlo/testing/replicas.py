"""Replicas as in a fleet's list, for tests of its readers; no engine answers there."""

from typing import Any

from oxlo.fleet.registry import Replica, ReplicaState

#: An address where no server listens.
NOWHERE = "http://127.0.0.1:9"


def replica(
    model: str = "m",
    state: ReplicaState = ReplicaState.READY,
    *,
    number: int = 1,
    **fields: Any,
) -> Replica:
    """The replica MODEL-NUMBER; `fields` are those of Replica."""
    defaults: dict[str, Any] = {
        "id": f"{model}-{number}",
        "model": model,
        "kind": "upstream",
        "dialect": "openai",
        "address": NOWHERE,
        "engine_model": model,
        "slots": 1,
        "context_length": 2048,
    }
    return Replica(**defaults | fields, state=state)
