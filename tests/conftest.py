"""Fixtures that several kinds of tests share."""

import os
from pathlib import Path

import pytest

import oxlo
from oxlo import catalogue, weights

# Processes that tests start run the same Oxlo as the tests: from src/, or as it was built.
os.environ["PYTHONPATH"] = str(Path(oxlo.__file__).parent.parent)


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The real starter model's GGUF file, fetched once for all runs.

    `OXLO_TEST_SMOLLM2` names a file to use instead, `OXLO_TEST_CACHE` a folder to keep it in.
    """
    if given := os.environ.get("OXLO_TEST_SMOLLM2"):
        return Path(given)
    return fetched("smollm2-135m")[0]


@pytest.fixture(scope="session")
def minilm() -> list[Path]:
    """The files of the real starter model for embeddings."""
    return fetched("minilm-l6")


def fetched(model: str) -> list[Path]:
    """A model's weights, kept in the folder `OXLO_TEST_CACHE`."""
    cache = os.environ.get("OXLO_TEST_CACHE") or Path.home() / ".cache" / "oxlo-tests"
    return [weights.fetch(file, Path(cache)) for file in catalogue.load().resolve(model).weights]
