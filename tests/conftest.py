"""Shared fixtures."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from tests import logs, postgres
from tests.valkeys import GivenValkey, ValkeyServer

import oxlo
from oxlo import catalogue, weights
from oxlo.catalogue import Source, WeightsFile

# Child processes import the same Oxlo as the tests: from src/ or as built.
os.environ["PYTHONPATH"] = str(Path(oxlo.__file__).parent.parent)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach the installation's logs to the report of a failed test."""
    report = yield
    if report.failed:
        report.sections += logs.ends()
    return report


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The GGUF file of the real starter model, cached between runs."""
    return fetched("smollm2-135m")[0]


@pytest.fixture(scope="session")
def minilm() -> list[Path]:
    """The files of the real starter model for embeddings."""
    return fetched("minilm-l6")


@pytest.fixture(scope="session")
def starter(smollm2: Path, minilm: list[Path]) -> Path:
    """A weights folder with all models of the default starter set."""
    return cache()


@pytest.fixture(scope="session")
def audio_models() -> Path:
    """A weights folder with the transcription and speech models."""
    for model in ("whisper-base", "kokoro-82m"):
        fetched(model)
    return cache()


@pytest.fixture(scope="session")
def coffee() -> Path:
    """A photograph from a package: a cup of coffee on a table, 600 x 400 pixels."""
    source = Source(wheel=("scikit-image==0.26.0",), path=("skimage/data/coffee.png",))
    digest = "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7"
    file = WeightsFile(name="coffee.png", sha256=digest, size=466706, sources=(source,))
    return weights.fetch(file, cache())


@pytest.fixture(scope="session")
def centernet() -> list[Path]:
    """The files of the real detection model."""
    return fetched("centernet-mobilenetv3")


def cache() -> Path:
    """The tests' model cache: `OXLO_TEST_CACHE` or a default."""
    return Path(os.environ.get("OXLO_TEST_CACHE") or Path.home() / ".cache" / "oxlo-tests")


def fetched(model: str) -> list[Path]:
    """Fetch a catalogue model and return its files, or their folder."""
    files = catalogue.load().resolve(model).weights
    for file in files:
        weights.fetch(file, cache())
    ready = weights.ready(files, cache())
    assert ready
    return ready


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL database that tests may empty."""
    with postgres.database() as url:
        yield url


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer | GivenValkey]:
    """A real Valkey that tests may empty: `OXLO_TEST_VALKEY_URL`, or one started here."""
    if url := os.environ.get("OXLO_TEST_VALKEY_URL"):
        yield GivenValkey(url)
        return
    server = ValkeyServer(tmp_path_factory.mktemp("valkey"), keep=False).start()
    yield server
    server.kill()
