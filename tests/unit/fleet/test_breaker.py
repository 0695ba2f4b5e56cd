from oxlo.fleet.breaker import THRESHOLD, Breaker


def tripped(at: float) -> Breaker:
    """A breaker that has just opened for the first time."""
    breaker = Breaker()
    for _ in range(THRESHOLD):
        breaker.failed(at)
    return breaker


def test_few_failures_do_not_open() -> None:
    """A failure now and then, with successes between, keeps nobody away."""
    breaker = Breaker()
    for now in range(20):
        breaker.failed(now)
        breaker.failed(now)
        breaker.succeeded()
    assert breaker.open_until == 0.0


def test_failures_in_a_row_open() -> None:
    """The third failure in a row opens it for a second."""
    assert tripped(at=100.0).open_until == 101.0


def test_calls_sent_earlier_add_nothing() -> None:
    """Many calls that fail together are one event."""
    breaker = tripped(at=100.0)
    for _ in range(50):
        breaker.failed(100.5)
    assert breaker.open_until == 101.0


def test_half_open_failure_doubles() -> None:
    """Each failed trial doubles the wait, up to half a minute."""
    breaker, waits = tripped(at=0.0), []
    for _ in range(6):
        now = breaker.open_until
        breaker.failed(now)
        waits.append(breaker.open_until - now)
    assert waits == [2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_success_closes() -> None:
    """One answer, and failures are counted from the start."""
    breaker = tripped(at=0.0)
    breaker.succeeded()
    breaker.failed(10.0)
    assert breaker.open_until == 0.0
