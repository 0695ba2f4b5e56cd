"""One PostgreSQL for the tests that need what only it does."""

import pytest


@pytest.fixture(scope="session")
def url(postgresql: str) -> str:
    """The URL of a PostgreSQL database to test on."""
    return postgresql
