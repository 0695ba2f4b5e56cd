"""The unmodified tests of OpenAI's Python SDK, from its source distribution."""

from collections.abc import Iterator
from pathlib import Path

from scripts.suites.adapter import between
from scripts.suites.environment import Environment
from scripts.suites.outcome import Outcome, read
from scripts.suites.served import Served

#: By ability: the test files, and a selection of their tests (pytest's -k).
#: Excluded: tests of speech mock the response, and tests of empty path parameters send nothing.
PARTS = {
    "chat completions": ("chat/test_completions.py", "create"),
    "stored chat completions": ("chat", "not create and not path_params"),
    "completions": ("test_completions.py", ""),
    "models: list, retrieve": ("test_models.py", "not delete and not path_params"),
    "embeddings": ("test_embeddings.py", ""),
    "transcriptions": ("audio/test_transcriptions.py", ""),
    "translations": ("audio/test_translations.py", ""),
    "images": ("test_images.py", "overload_1"),
    "images, streamed": ("test_images.py", "overload_2"),
}
_NEEDS = ("pytest", "pytest-asyncio", "rich", "aiohttp")
_QUIET = ("-p", "no:cacheprovider", "-o", "addopts=", "--tb=short")


def run(served: Served, environment: Environment) -> Iterator[Outcome]:
    """Run each part twice: with the suite's own values, and with usable ones."""
    source = environment.source("openai")
    environment.install(str(source), *_NEEDS)
    print(f"openai {environment.version('openai')}", flush=True)
    for usable in (False, True):
        with between(served, usable=usable) as base_url:
            for name in PARTS:
                yield _part(environment, source, base_url, name, usable=usable)


def _part(
    environment: Environment, source: Path, base_url: str, name: str, *, usable: bool
) -> Outcome:
    files, chosen = PARTS[name]
    report = environment.folder / "report.xml"
    report.unlink(missing_ok=True)
    arguments = [f"tests/api_resources/{files}", "-k", chosen, f"--junitxml={report}"]
    printed = environment.call(["pytest", *_QUIET, *arguments], source, TEST_API_BASE_URL=base_url)
    return read(report, f"{name}{', usable values' if usable else ''}", printed)
