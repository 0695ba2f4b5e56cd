"""How many engines have to be ready."""

from structlog.testing import capture_logs

from oxlo.fleet import minimum
from oxlo.fleet.registry import ReplicaState
from oxlo.testing.replicas import replica

READY, SICK = ReplicaState.READY, ReplicaState.SICK


def test_who_counts() -> None:
    """Ready engines of the model, but not one that is left out, nor what only helps out."""
    listed = (
        replica("m", READY, number=1),
        replica("m", READY, number=2),
        replica("m", SICK, number=3),
        replica("m", READY, number=4, overflow=1),
    )
    assert minimum.ready(listed, "m") == 2
    assert minimum.ready(listed, "m", but="m-1") == 1
    assert minimum.ready(listed, "other") == 0


def test_falling_below_is_said_once() -> None:
    """A start says nothing; a fall is a warning, once, and so is the recovery, as information."""
    watch = minimum.Watch({"m": 2})
    with capture_logs() as said:
        for states in ((READY, SICK), (READY, READY), (READY, SICK), (SICK, SICK), (READY, READY)):
            watch.look([replica("m", state, number=number) for number, state in enumerate(states)])
    events = [(line["event"], line["log_level"], line["ready"]) for line in said]
    assert events == [("model.below_minimum", "warning", 1), ("model.at_minimum", "info", 2)]
