import pytest

from oxlo.fleet.pace import Pace


def test_length_is_learnt_by_account() -> None:
    """Who gets short answers is predicted short ones, and others what is usual."""
    pace = Pace()
    for _ in range(60):
        pace.answered("brief", 10)
        pace.answered("wordy", 1_000)
    brief, wordy, new = (pace.predict(a, 8_192) / pace.ratio for a in ("brief", "wordy", "new"))
    assert brief == pytest.approx(10, abs=2)
    assert wordy == pytest.approx(1_000, rel=0.05)
    assert brief < new < wordy


def test_never_more_than_allowed() -> None:
    """An answer is predicted no longer than the call allows."""
    pace = Pace()
    assert pace.predict("any", 5) == 5 * pace.ratio


def test_ratio_is_learnt_from_streams() -> None:
    """At 2,000 tokens a second read and 50 written, a token written is worth 40 read."""
    pace = Pace()
    before = pace.ratio
    pace.timed(0, 0.1, 100, 2.0)
    assert pace.ratio == before
    for _ in range(50):
        pace.timed(1_000, 0.5, 101, 2.0)
    assert pace.ratio == pytest.approx(40)


def test_many_accounts_are_forgotten() -> None:
    """What is kept of accounts is bounded."""
    pace = Pace()
    pace.answered("first", 1)
    for number in range(2_000):
        pace.answered(str(number), 500)
    assert pace.predict("first", 8_192) == pace.predict("never seen", 8_192)
