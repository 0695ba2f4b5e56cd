from hypothesis import given
from hypothesis import strategies as st

from oxlo.ledger import windows
from oxlo.ledger.windows import Counts, Window, tightest

MIDNIGHT = 1_795_392_000.0
moments = st.floats(0, 4e9)


@given(moments)
def test_resets_are_whole(now: float) -> None:
    """A reset is 1 to 60 (or 86400) whole seconds away, and lies in the next window."""
    minute, day = windows.minute_resets_in(now), windows.day_resets_in(now)
    assert 1 <= minute <= 60
    assert 1 <= day <= 86_400
    assert windows.minute_of(now + minute) == windows.minute_of(now) + 1
    assert windows.day_of(now + day) == windows.day_of(now) + 1


def test_midnight_opens_a_day() -> None:
    """The day changes at 00:00 UTC, not before."""
    assert windows.day_of(MIDNIGHT) == windows.day_of(MIDNIGHT - 0.001) + 1
    assert windows.day_resets_in(MIDNIGHT - 0.001) == 1
    assert windows.day_resets_in(MIDNIGHT) == 86_400


def test_moment_is_written_in_utc() -> None:
    """Clients get the reset time with its time zone."""
    assert windows.iso(MIDNIGHT) == "2026-11-23T00:00:00Z"


def test_remaining_is_never_negative() -> None:
    """If a plan shrinks below the usage, the remainder is zero."""
    window = Window(limit=5, used=9, resets_in=1)
    assert (window.remaining, window.left) == (0, 0)


def test_no_limit_has_no_remainder() -> None:
    """Without a limit there is no remainder; the journal stores -1."""
    window = Window(limit=None, used=9, resets_in=1)
    assert (window.remaining, window.left) == (None, -1)


def test_tightest_has_least_left() -> None:
    """Headers show the window that will be exhausted first."""
    day, minute = Window(60, 10, 3_600), Window(5, 1, 30)
    assert tightest(day, minute) is minute
    assert tightest(Window(60, 58, 3_600), minute).limit == 60


def test_tightest_ignores_no_limit() -> None:
    """A window without a limit is shown only when neither has one."""
    free, bound = Window(None, 0, 1), Window(5, 0, 1)
    assert tightest(free, bound) is bound
    assert tightest(bound, free) is bound
    assert tightest(free, free).limit is None


def test_tie_goes_to_the_day() -> None:
    """On a tie the longer window is shown."""
    assert tightest(Window(60, 57, 3_600), Window(5, 2, 30)).limit == 60


def test_windows_only_move_forward() -> None:
    """An earlier timestamp opens nothing: used windows stay used."""
    counts = Counts(day=10, minute=14_400)
    counts.charge(10, 14_400)
    counts.advance(9, 14_399)
    assert (counts.day, counts.day_used) == (10, 1)
    assert (counts.minute, counts.minute_used) == (14_400, 1)


def test_a_window_is_at_most_the_next() -> None:
    """A window reached by a clock far ahead is renamed to the next one."""
    counts = Counts(day=10, minute=14_400)
    counts.charge(40, 57_600)
    assert not counts.follow(39, 57_599)
    assert counts.follow(10, 14_401)
    assert (counts.day, counts.day_used) == (11, 1)
    assert (counts.minute, counts.minute_used) == (14_402, 1)


def test_late_charge_counts_where_it_can() -> None:
    """A charge to a past minute counts only in its day."""
    counts = Counts(day=10, minute=14_401)
    counts.charge(10, 14_400)
    assert (counts.day_used, counts.minute_used) == (1, 0)


def test_passed_window_takes_nothing_back() -> None:
    """A refund to a past minute does not make room in the next one."""
    counts = Counts(day=10, minute=14_400)
    counts.charge(10, 14_400)
    counts.charge(10, 14_401)
    counts.give_back(10, 14_400, counted=False, minute_counted=False)
    assert (counts.day_used, counts.minute_used) == (1, 1)
