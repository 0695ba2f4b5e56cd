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
    """The real starter model's GGUF file, fetched once for all runs."""
    return fetched("smollm2-135m")[0]


@pytest.fixture(scope="session")
def minilm() -> list[Path]:
    """The files of the real starter model for embeddings."""
    return fetched("minilm-l6")


@pytest.fixture(scope="session")
def starter(smollm2: Path, minilm: list[Path]) -> Path:
    """A folder of weights that holds all that `oxlo serve` wants when nobody says more."""
    return cache()


@pytest.fixture(scope="session")
def audio_models() -> Path:
    """A folder of weights that holds the models that hear and speak."""
    for model in ("whisper-base", "kokoro-82m"):
        fetched(model)
    return cache()


def cache() -> Path:
    """Where the tests keep models: `OXLO_TEST_CACHE`."""
    return Path(os.environ.get("OXLO_TEST_CACHE") or Path.home() / ".cache" / "oxlo-tests")


def fetched(model: str) -> list[Path]:
    """The files of a model of the catalogue."""
    return [weights.fetch(file, cache()) for file in catalogue.load().resolve(model).weights]
