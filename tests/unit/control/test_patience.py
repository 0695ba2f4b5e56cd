"""Clocks that jump, and what is believed of them."""

from oxlo.control.patience import PATIENCE, Patient
from oxlo.testing.clock import FakeClock

DAY = 86_400.0


class Machine:
    """A clock that can be set, beside the time that passes."""

    def __init__(self) -> None:
        self.clock, self.steady = FakeClock(), FakeClock(5.0)
        self.patient = Patient(self.clock, self.steady)

    def passes(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.steady.advance(seconds)

    @property
    def behind(self) -> float:
        """By how much less than the clock is believed."""
        return self.clock() - self.patient()


def test_time_that_passes_is_believed() -> None:
    """However seldom anybody looks, and a clock that is a little fast as well."""
    machine = Machine()
    machine.passes(90 * DAY)
    machine.clock.advance(2.0)
    assert machine.behind == 0.0


def test_a_jump_ahead_is_believed_late() -> None:
    """A clock that was wrong for less than an hour changes nothing; one that stays is right."""
    machine = Machine()
    for _ in range(2):
        machine.clock.advance(30 * DAY)
        assert machine.behind == 30 * DAY
        machine.passes(PATIENCE - 1)
        assert machine.behind == 30 * DAY
        machine.clock.advance(-30 * DAY)
        assert machine.behind == 0.0
    machine.clock.advance(30 * DAY)
    assert machine.behind == 30 * DAY
    machine.passes(PATIENCE)
    assert machine.behind == 0.0


def test_a_clock_set_back_is_followed() -> None:
    """What is younger than it seemed is kept."""
    machine = Machine()
    machine.clock.advance(-DAY)
    assert machine.behind == 0.0
