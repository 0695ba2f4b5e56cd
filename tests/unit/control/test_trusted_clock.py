"""The trusted clock, when the system clock jumps."""

from oxlo.control.trusted_clock import CONFIRM_AFTER, TrustedClock
from oxlo.testing.clock import FakeClock

DAY = 86_400.0


class Machine:
    """A settable clock and a monotonic one."""

    def __init__(self) -> None:
        self.clock, self.steady = FakeClock(), FakeClock(5.0)
        self.trusted = TrustedClock(self.clock, self.steady)

    def passes(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.steady.advance(seconds)

    @property
    def behind(self) -> float:
        """How far the trusted clock is behind the clock, in seconds."""
        return self.clock() - self.trusted()


def test_time_that_passes_is_trusted() -> None:
    """Also if it is read seldom, and if the clock is a little fast."""
    machine = Machine()
    machine.passes(90 * DAY)
    machine.clock.advance(2.0)
    assert machine.behind == 0.0


def test_a_jump_ahead_is_trusted_after_an_hour() -> None:
    """A jump of less than an hour is ignored; a permanent one is followed."""
    machine = Machine()
    for _ in range(2):
        machine.clock.advance(30 * DAY)
        assert machine.behind == 30 * DAY
        machine.passes(CONFIRM_AFTER - 1)
        assert machine.behind == 30 * DAY
        machine.clock.advance(-30 * DAY)
        assert machine.behind == 0.0
    machine.clock.advance(30 * DAY)
    assert machine.behind == 30 * DAY
    machine.passes(CONFIRM_AFTER)
    assert machine.behind == 0.0


def test_a_clock_set_back_is_followed() -> None:
    """The trusted clock follows at once."""
    machine = Machine()
    machine.clock.advance(-DAY)
    assert machine.behind == 0.0
