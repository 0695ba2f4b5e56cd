"""The unmodified tests of OpenAI's Node SDK.

The npm package does not include them, so OPENAI_NODE_SOURCE must be a copy of its repository.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.suites.adapter import between
from scripts.suites.environment import Environment, run_program, said
from scripts.suites.outcome import Outcome, reason
from scripts.suites.served import Served

#: By ability: the test file, and the titles of its tests.
PARTS = {
    "chat completions": ("chat/completions/completions", "create"),
    "stored chat completions": ("chat/completions/completions", "retrieve|update|list$|delete"),
    "completions": ("completions", "create"),
    "models: list, retrieve": ("models", "list|retrieve"),
    "embeddings": ("embeddings", "create"),
    "transcriptions": ("audio/transcriptions", "create"),
    "translations": ("audio/translations", "create"),
    "images": ("images", "generate|edit"),
}
#: The development dependencies that the generated tests import.
NEEDS = (
    "jest",
    "@swc/core",
    "@swc/jest",
    "ts-jest",
    "ts-node",
    "typescript",
    "undici",
    "ws",
    "zod",
)
_INSTALL = ("npm", "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund")


def run(served: Served, environment: Environment) -> Iterator[Outcome]:
    """Run each part twice: with the suite's own values, and with usable ones."""
    given = os.environ.get("OPENAI_NODE_SOURCE")
    if given is None:
        print("skipped: OPENAI_NODE_SOURCE names no copy of openai-node's repository", flush=True)
        return
    source = environment.folder / "source"
    if not source.exists():
        _prepare(Path(given), source)
    print(f"openai-node {json.loads((source / 'package.json').read_text())['version']}", flush=True)
    for usable in (False, True):
        with between(served, usable=usable) as base_url:
            found = _jest(source, base_url)
        for name in PARTS:
            yield _outcome(name, found, usable=usable)


def _prepare(given: Path, source: Path) -> None:
    """Copy the repository and install only the tests' dependencies, at its pinned versions."""
    shutil.copytree(given, source, ignore=shutil.ignore_patterns("node_modules", ".git"))
    wanted = json.loads((source / "package.json").read_text())
    wanted["devDependencies"] = {
        name: version for name, version in wanted["devDependencies"].items() if name in NEEDS
    }
    (source / "package.json").write_text(json.dumps(wanted))
    run_program(_INSTALL, source)


def _jest(source: Path, base_url: str) -> list[dict[str, Any]]:
    """Run jest and return its results by test file."""
    report = source / "report.json"
    report.unlink(missing_ok=True)
    files = sorted({f"tests/api-resources/{file}.test.ts" for file, _ in PARTS.values()})
    command = ["npx", "jest", "--runInBand", "--testTimeout=300000", "--json"]
    command += [f"--outputFile={report}", "--runTestsByPath", *files]
    printed = said(command, source, {"TEST_API_BASE_URL": base_url})
    if not report.exists():
        raise SystemExit(f"{printed}\nopenai-node: jest wrote no report.")
    results: list[dict[str, Any]] = json.loads(report.read_text())["testResults"]
    return results


def _outcome(name: str, found: list[dict[str, Any]], *, usable: bool) -> Outcome:
    file, titles = PARTS[name]
    outcome = Outcome(f"{name}{', usable values' if usable else ''}")
    for result in found:
        if result["name"].endswith(f"api-resources/{file}.test.ts"):
            for test in result["assertionResults"]:
                if re.match(titles, test["title"]):
                    _count(outcome, test)
    return outcome


def _count(outcome: Outcome, test: dict[str, Any]) -> None:
    if test["status"] == "passed":
        outcome.passed += 1
    elif test["status"] == "failed":
        outcome.failed += 1
        outcome.reasons[reason("\n".join(test["failureMessages"]))] += 1
    else:
        outcome.skipped += 1
