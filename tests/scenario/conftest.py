"""What scenarios share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.scenario.served import Platform
from tests.waiting import clear_of_midnight


@pytest.fixture(autouse=True)
def one_day() -> None:
    """What is counted by the day is not counted over midnight."""
    clear_of_midnight()


@pytest.fixture
def installed(tmp_path: Path, starter: Path) -> Iterator[Platform]:
    """An empty home, nothing started."""
    platform = Platform(tmp_path / "home", starter)
    yield platform
    platform.close()
