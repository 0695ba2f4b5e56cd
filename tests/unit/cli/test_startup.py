"""Messages of `oxlo serve` while models start."""

from pathlib import Path

import msgspec
import pytest

from oxlo.cli.startup import MAX_FAILURES, QUIET_SECONDS, Startup
from oxlo.fleet.registry import ReplicaState
from oxlo.testing.replicas import replica

STARTING, WARMING = ReplicaState.STARTING, ReplicaState.WARMING
READY, SICK, STOPPED = ReplicaState.READY, ReplicaState.SICK, ReplicaState.STOPPED


class Scene:
    """A start with one model, whose replica goes through states."""

    def __init__(self, logs: Path) -> None:
        self.said: list[str] = []
        self.now = 100.0
        self.startup = Startup(["m"], logs, self.said.append, self.now)
        self.replica = replica("m", STARTING)

    def enters(self, state: ReplicaState, reason: str = "") -> None:
        """Report the replica's next state."""
        self.now += 1.0
        self.replica = msgspec.structs.replace(
            self.replica, state=state, reason=reason, since=self.now
        )
        self.looks()

    def looks(self, later: float = 0.0) -> None:
        self.now += later
        self.startup.update([self.replica], self.now)

    def fails(self, times: int, reason: str = "the engine ended with status 1") -> None:
        for number in range(times):
            self.enters(STARTING)
            self.enters(SICK, f"{reason}; tried again in {2**number} s")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_each_news_once(scene: Scene) -> None:
    """Without changes, nothing is printed."""
    scene.enters(STARTING)
    scene.looks()
    scene.enters(WARMING)
    scene.enters(READY)
    assert scene.said == ["loading m", "warming m"]
    assert scene.startup.is_over({"m"})


def test_loading_is_waited_for(scene: Scene) -> None:
    """A loading model is neither ready nor failed."""
    assert not scene.startup.is_over(())
    scene.enters(STARTING)
    assert not scene.startup.is_over(())
    assert scene.startup.failed() == {}


def test_stopped_is_not_waited_for(scene: Scene) -> None:
    """A stopped replica is failed, with reason and advice."""
    scene.enters(STOPPED, "weights are missing: run `oxlo models pull m`")
    assert scene.startup.is_over(())
    assert "oxlo models pull m" in scene.startup.failed()["m"]
    assert "restart `oxlo serve`" in scene.startup.failed()["m"]


def test_failing_is_given_up_for_now(scene: Scene) -> None:
    """After several failures a model is failed; its reason is printed once."""
    scene.fails(MAX_FAILURES - 1)
    assert not scene.startup.is_over(())
    scene.fails(1)
    assert scene.startup.is_over(())
    assert scene.said == ["loading m", "m: the engine ended with status 1"]
    assert "status 1" in scene.startup.failed()["m"]


def test_advice_names_the_log_that_exists(scene: Scene, tmp_path: Path) -> None:
    """The advice names the engine's log if it exists, else the fleet's."""
    scene.fails(MAX_FAILURES)
    assert "fleet.log" in scene.startup.failed()["m"]
    (tmp_path / "m-1.log").touch()
    assert "m-1.log" in scene.startup.failed()["m"]


def test_reason_of_a_model_that_starts_again(scene: Scene) -> None:
    """A retry that is under way does not hide why the last one failed."""
    scene.fails(MAX_FAILURES)
    scene.enters(STARTING, "being started")
    assert "status 1" in scene.startup.failed()["m"]
    scene.enters(WARMING, "real requests are running")
    assert "status 1" in scene.startup.failed()["m"]


def test_another_reason_is_news(scene: Scene) -> None:
    """A failure with a different reason is printed."""
    scene.fails(1)
    scene.fails(1, "out of memory")
    assert scene.said[-1] == "m: out of memory"


def test_success_forgives(scene: Scene) -> None:
    """A success resets the failures and what was reported."""
    scene.fails(MAX_FAILURES - 1)
    scene.enters(READY)
    scene.fails(1)
    assert scene.startup.failed() == {}
    assert scene.said.count("m: the engine ended with status 1") == 2


def test_one_sound_replica_is_enough(scene: Scene) -> None:
    """A model has failed only if all its replicas have."""
    scene.enters(STOPPED, "no")
    other = msgspec.structs.replace(scene.replica, id="m-2", state=STARTING)
    scene.startup.update([other], scene.now)
    assert scene.startup.failed() == {}


def test_silence_is_broken(scene: Scene) -> None:
    """Long loading is reported at intervals."""
    scene.enters(STARTING)
    scene.looks(QUIET_SECONDS)
    scene.looks(1.0)
    scene.looks(QUIET_SECONDS)
    assert scene.said == [
        "loading m",
        "still waiting (16 s): loading m",
        "still waiting (32 s): loading m",
    ]


def test_waiting_for_the_processes(scene: Scene, tmp_path: Path) -> None:
    """Before any replica is listed, the folder of the logs is named."""
    scene.startup.update([], scene.now + QUIET_SECONDS)
    assert str(tmp_path) in scene.said[0]
