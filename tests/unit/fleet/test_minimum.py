"""How many engines have to be ready."""

from structlog.testing import capture_logs

from oxlo.fleet import minimum
from oxlo.fleet.registry import Replica, ReplicaState


def replica(number: int, state: ReplicaState, overflow: int = 0) -> Replica:
    return Replica(
        id=f"m-{number}",
        model="m",
        kind="llamacpp",
        dialect="llamacpp",
        address="",
        engine_model="m",
        slots=1,
        context_length=1,
        state=state,
        overflow=overflow,
    )


READY, SICK = ReplicaState.READY, ReplicaState.SICK


def test_who_counts() -> None:
    """Ready engines of the model, but not one that is left out, nor what only helps out."""
    listed = (replica(1, READY), replica(2, READY), replica(3, SICK), replica(4, READY, overflow=1))
    assert minimum.ready(listed, "m") == 2
    assert minimum.ready(listed, "m", but="m-1") == 1
    assert minimum.ready(listed, "other") == 0


def test_falling_below_is_said_once() -> None:
    """A start says nothing; a fall is a warning, once, and so is the recovery, as information."""
    watch = minimum.Watch({"m": 2})
    with capture_logs() as said:
        for states in ((READY, SICK), (READY, READY), (READY, SICK), (SICK, SICK), (READY, READY)):
            watch.look([replica(number, state) for number, state in enumerate(states)])
    events = [(line["event"], line["log_level"], line["ready"]) for line in said]
    assert events == [("model.below_minimum", "warning", 1), ("model.at_minimum", "info", 2)]
