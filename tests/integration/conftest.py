"""One PostgreSQL for the tests that need what only it does."""

from collections.abc import Iterator

import pytest
from tests import postgres


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """The URL of a PostgreSQL database to test on."""
    with postgres.database() as address:
        yield address
