"""How moments are written."""

import pytest

from oxlo.portal import formats

#: 2026-11-27, 03:00:00 UTC.
NOW = 1795748400.0


@pytest.mark.parametrize(
    ("at", "written"),
    [
        (NOW, "now"),
        (NOW - 7200, "2\u202fh ago"),
        (NOW + 90, "in 1\u202fmin"),
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
