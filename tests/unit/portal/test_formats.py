"""How numbers, durations and timestamps are written."""

import pytest

from oxlo.portal import formats

#: 2026-11-27, 03:00:00 UTC.
NOW = 1795748400.0


@pytest.mark.parametrize(
    ("at", "written"),
    [
        (NOW, "now"),
        (NOW - 7200, "2\u202fh ago"),
        (NOW + 80, "in 1\u202fmin"),
        (NOW + 86390, "in 1\u202fd"),
        (NOW - 86400, "Nov 26, 03:00"),
        (NOW - 86400 * 20, "Nov 7, 03:00"),
        (NOW - 86400 * 400, "2025-10-23"),
    ],
)
def test_moments_in_lists(at: float, written: str) -> None:
    """How long ago within a day; then the day and the minute; of another year the day."""
    assert formats.stamp(at, NOW) == written


@pytest.mark.parametrize(
    ("billions", "written"),
    [(0.0038, "3.8 million"), (0.135, "135 million"), (1.0, "1 billion"), (7.6, "7.6 billion")],
)
def test_parameters(billions: float, written: str) -> None:
    """Millions below a billion."""
    assert formats.parameters(billions) == written


@pytest.mark.parametrize(
    ("dollars", "written"),
    [
        (None, "on request"),
        (0.0, "$0"),
        (0.0042, "$0.0042"),
        (14.9, "$14.90"),
        (1200.0, "$1\u202f200"),
    ],
)
def test_money(dollars: float | None, written: str) -> None:
    """Cents only if there are some; below a cent two significant digits."""
    assert formats.money(dollars) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (-1.0, "0\u202fs"),
        (40.0, "40\u202fs"),
        (3600.0, "1\u202fh"),
        (18_725.0, "5\u202fh 12\u202fmin"),
    ],
)
def test_span(seconds: float, written: str) -> None:
    """The two largest units."""
    assert formats.span(seconds) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [(None, "\u2013"), (3.14, "3.1\u202fms"), (10.0, "10\u202fms"), (1000.0, "1.00\u202fs")],
)
def test_milliseconds(value: float | None, written: str) -> None:
    """A decimal below ten, seconds from a thousand on."""
    assert formats.milliseconds(value) == written


def test_counts() -> None:
    """Thin separators, and the plural of a noun."""
    assert (formats.count(1_000_000), formats.count(None)) == ("1\u202f000\u202f000", "unlimited")
    assert (formats.plural(1, "model"), formats.plural(2, "reply", "replies")) == (
        "1 model",
        "2 replies",
    )
