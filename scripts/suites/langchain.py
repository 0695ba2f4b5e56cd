"""LangChain's integration tests for tools, vision and embeddings."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from scripts.suites.environment import Environment
from scripts.suites.outcome import Outcome, read
from scripts.suites.served import Served

TESTS = Path(__file__).parent / "inside" / "langchain_standard.py"
#: LangChain shares a client between tests, so they need a shared event loop.
_LOOP = ("--asyncio-mode=auto", "-o", "asyncio_default_test_loop_scope=session")


def run(served: Served, environment: Environment) -> Iterator[Outcome]:
    """Run the tests for each model."""
    environment.install("langchain-tests", "langchain-openai")
    versions = (
        f"{name} {environment.version(name)}" for name in ("langchain-tests", "langchain-openai")
    )
    print(", ".join(versions), flush=True)
    callers, seers = served.models.get("tools", []), served.models.get("vision", [])
    # The largest model with tools, because the choice of the tool depends on its quality.
    for model in (*callers[-1:], *seers[:1]):
        tools, sight = ("yes" if model in found else "no" for found in (callers, seers))
        own = {"SUITES_CHAT": model, "SUITES_TOOLS": tools, "SUITES_PICTURES": sight}
        yield _part(served, environment, f"chat, {model}", "TestChat", own)
    if vectors := served.model("embeddings"):
        own = {"SUITES_CHAT": "", "SUITES_EMBEDDINGS": vectors}
        yield _part(served, environment, f"embeddings, {vectors}", "TestEmbeddings", own)


def _part(
    served: Served, environment: Environment, name: str, tests: str, own: dict[str, str]
) -> Outcome:
    report = environment.folder / "report.xml"
    report.unlink(missing_ok=True)
    access = {"OXLO_BASE_URL": served.base_url, "OXLO_API_KEY": served.key}
    here = shutil.copy(TESTS, environment.folder)  # outside of our own pytest configuration
    arguments = ["pytest", f"{here}::{tests}", f"--junitxml={report}", "--tb=short"]
    own = {"SUITES_EMBEDDINGS": ""} | own
    printed = environment.call(
        [*arguments, *_LOOP, "-p", "no:cacheprovider"], environment.folder, **access, **own
    )
    return read(report, name, printed)
