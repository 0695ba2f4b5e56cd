"""Health is progress: pure decisions from polls."""

from oxlo.engines.probe import Progress
from oxlo.fleet.health import Health, Sample

STALL = 60.0


def observe(*samples: Sample) -> Health:
    health = Health.fresh(0.0)
    for sample in samples:
        health = health.after(sample)
    return health


def busy(at: float, work: float) -> Sample:
    return Sample(at, "answered", Progress(busy=2, work=work))


def test_busy_and_moving_is_well() -> None:
    """An engine that works for an hour is never sick."""
    health = observe(*(busy(at, at) for at in range(0, 3600, 30)))
    assert health.sickness(3600.0, STALL) == ""


def test_busy_and_still_is_sick() -> None:
    """Work outstanding and a counter that stands still for the stall time."""
    health = observe(busy(0.0, 7.0), busy(30.0, 7.0), busy(60.0, 7.0))
    assert health.sickness(59.0, STALL) == ""
    assert health.sickness(60.0, STALL) == "2 calls under way and no progress for 60 s"


def test_stall_counts_from_the_last_idle_moment() -> None:
    """A call that has just begun has the whole stall time, however long it was idle before."""
    idle = Sample(1000.0, "answered", Progress(busy=0, work=7.0))
    health = observe(idle, busy(1001.0, 7.0), busy(1050.0, 7.0))
    assert health.sickness(1050.0, STALL) == ""


def test_long_poll_is_not_sickness() -> None:
    """Polls that a long prompt delays do not count as misses."""
    health = observe(busy(0.0, 1.0), *(Sample(float(at), "silent") for at in range(5, 60, 5)))
    assert health.sickness(59.0, STALL) == ""


def test_silence_is_sickness() -> None:
    """An engine that lives but never answers is sick after the stall time."""
    health = observe(Sample(30.0, "silent"))
    assert health.sickness(61.0, STALL) == "did not answer for 61 s"


def test_three_refusals_are_sickness() -> None:
    """One refused poll may be a full backlog; three in a row are not."""
    refused = Sample(1.0, "refused", detail="connection refused")
    assert observe(refused, refused).sickness(1.0, STALL) == ""
    assert "connection refused" in observe(refused, refused, refused).sickness(1.0, STALL)


def test_an_answer_forgives_refusals() -> None:
    """Refusals count in a row only."""
    refused = Sample(1.0, "refused")
    health = observe(refused, refused, busy(2.0, 1.0), refused)
    assert health.sickness(2.0, STALL) == ""


def test_no_progress_information() -> None:
    """A server that only answers is well while it answers."""
    health = observe(*(Sample(float(at), "answered") for at in range(0, 600, 5)))
    assert health.sickness(600.0, STALL) == ""


def starved(*wanted: tuple[float, float]) -> Health:
    """Busy, and still from 0 on; `wanted`: when it was looked at, and how long it was starved."""
    health = observe(busy(0.0, 7.0))
    for at, seconds in wanted:
        health = health.after(busy(at, 7.0)).starved(seconds)
    return health


def test_waiting_for_a_cpu_is_no_stall() -> None:
    """On a machine with too much to do a batch takes ten times as long, and is waited for."""
    health = starved(*((at, 9.0) for at in range(10, 601, 10)))
    assert health.sickness(599.0, STALL) == ""


def test_a_spinning_hang_is_found_on_a_full_machine() -> None:
    """It gets some CPU: once that adds up to the stall time, it is sick, and all is told."""
    health = starved(*((at, 9.0) for at in range(10, 601, 10)))
    assert health.sickness(600.0, STALL) == (
        "2 calls under way and no progress for 600 s, 540 s of them waiting for a CPU"
    )


def test_starved_before_it_moved_is_forgotten() -> None:
    """What it waited for a CPU before its latest step excuses nothing after it."""
    health = starved((100.0, 99.0)).after(busy(100.0, 8.0))
    assert health.after(busy(160.0, 8.0)).sickness(160.0, STALL)


def test_silence_for_want_of_a_cpu_is_waited_for() -> None:
    """A poll that is not answered is judged alike."""
    health = observe(busy(0.0, 1.0), Sample(90.0, "silent")).starved(80.0)
    assert health.sickness(90.0, STALL) == ""
    assert health.sickness(140.0, STALL) == (
        "did not answer for 140 s, 80 s of them waiting for a CPU"
    )


def test_only_a_step_shows_that_it_moves() -> None:
    """An answer without one, and silence, leave a doubt."""
    health = observe(busy(1.0, 7.0))
    assert health.moves
    assert not health.after(busy(2.0, 7.0)).moves
    assert not health.after(Sample(2.0, "silent")).moves
