"""Waits between restarts."""

from oxlo.fleet.backoff import Backoff


def test_waits_double_to_thirty_seconds() -> None:
    """Half a second, doubling, never above thirty."""
    backoff = Backoff()
    waits = [backoff.failed(0.0) for _ in range(8)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_a_minute_of_health_forgives() -> None:
    """After a healthy minute the next failure is the first again."""
    backoff = Backoff(failures=6)
    assert backoff.failed(59.0) == 30.0
    assert backoff.failed(60.0) == 0.5
