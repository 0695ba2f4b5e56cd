"""Replicas as a fleet lists them, for tests of what reads the list; nothing answers there."""

from typing import Any

from oxlo.fleet.registry import Replica, ReplicaState

#: Nobody listens there.
NOWHERE = "http://127.0.0.1:9"


def replica(
    model: str = "m",
    state: ReplicaState = ReplicaState.READY,
    *,
    number: int = 1,
    **fields: Any,
) -> Replica:
    """The replica MODEL-NUMBER; `fields` are those of Replica."""
    usual: dict[str, Any] = {
        "id": f"{model}-{number}",
        "model": model,
        "kind": "upstream",
        "dialect": "openai",
        "address": NOWHERE,
        "engine_model": model,
        "slots": 1,
        "context_length": 2048,
    }
    return Replica(**usual | fields, state=state)
