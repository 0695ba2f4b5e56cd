"""Schemathesis: requests generated from /openapi.json, and validation of the responses."""

import base64
import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

from scripts.suites.environment import Environment
from scripts.suites.outcome import Outcome, reason
from scripts.suites.served import Served, picture

HOOKS = Path(__file__).parent / "inside" / "fuzz_hooks.py"
OPTIONS = (
    *("--checks", "all", "--continue-on-failure", "--max-examples", "60", "--seed", "1"),
    *("--request-timeout", "300", "--max-response-time", "300"),
    *("--report-json-path", "report.json"),
)
#: Rules between fields are not in the schema, so valid requests may be rejected; that is reported
#: but not a failure.
MODES = (
    ("--mode", "negative"),
    ("--mode", "positive", "--exclude-checks", "positive_data_acceptance"),
)
#: A catalogue model that is not served is a 503; these are reported, too.
CONFIG = """
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", "503"]
"""
_CASE = re.compile(r"^\d+\. Test Case ID: \w+$", re.MULTILINE)
_TITLE = re.compile(r"^- ST\d+ (.+)$", re.MULTILINE)
_WRONG = re.compile(r'(?:Invalid component: |"message":")([^"\n]+)')
_ERROR = re.compile(r"^Network Error\n\n(.+)$", re.MULTILINE)
#: The ability that the model of each operation needs.
ABILITIES = {
    "/v1/chat/completions": "chat",
    "/v1/completions": "completions",
    "/v1/embeddings": "embeddings",
    "/v1/images/generations": "images",
    "/v1/images/edits": "image_edits",
    "/v1/audio/speech": "speech",
    "/v1/audio/transcriptions": "transcription",
    "/v1/audio/translations": "translation",
    "/v1/detect": "detection",
}


def run(served: Served, environment: Environment) -> Iterator[Outcome]:
    """Fuzz all operations in sequence."""
    environment.install("schemathesis")
    print(f"schemathesis {environment.version('schemathesis')}", flush=True)
    document = json.loads(served.ask("GET", "/openapi.json"))
    for methods in document["paths"].values():
        for operation in methods.values():
            _without_headers(operation)
    (environment.folder / "openapi.json").write_text(json.dumps(document))
    (environment.folder / "plan.json").write_text(_plan(served))
    (environment.folder / "schemathesis.toml").write_text(CONFIG)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield _operation(served, environment, f"{method.upper()} {path}", operation)


def _without_headers(operation: dict[str, Any]) -> None:
    """Remove the headers of dry runs and idempotency, whose responses differ."""
    known = operation.get("parameters", [])
    operation["parameters"] = [one for one in known if one["in"] != "header"]


def _operation(
    served: Served, environment: Environment, name: str, operation: dict[str, Any]
) -> Outcome:
    outcome = Outcome(name)
    calls = environment.folder / "calls.jsonl"
    calls.unlink(missing_ok=True)
    for mode in MODES:
        report = environment.folder / "report.json"
        report.unlink(missing_ok=True)
        printed = _schemathesis(served, environment, operation["operationId"], mode)
        if not report.exists():
            raise SystemExit(f"{printed}\n{name}: schemathesis wrote no report.")
        cases = json.loads(report.read_text())["test_cases"]
        failed = cases["with_failures"] + cases["errored"]
        outcome.failed += failed
        outcome.passed += cases["generated"] - failed
        outcome.reasons.update(reasons(printed))
    outcome.reasons.update(_told(calls))
    return outcome


def _schemathesis(
    served: Served, environment: Environment, operation: str, mode: tuple[str, ...]
) -> str:
    chosen = ["--include-operation-id", operation, "--url", served.root, *mode]
    access = ["--header", f"Authorization: Bearer {served.key}"]
    return environment.call(
        ["schemathesis.cli", "run", "openapi.json", *chosen, *access, *OPTIONS],
        environment.folder,
        SCHEMATHESIS_HOOKS=str(HOOKS),
        SUITES_FUZZ="plan.json",
    )


def _told(calls: Path) -> list[str]:
    """Summarize rejections of valid requests, and requests of models not served."""
    noted = map(json.loads, calls.read_text().splitlines() if calls.exists() else ())
    return [
        reason(f"{one['status']}, {'valid' if one['valid'] else 'invalid'}: {_plain(one['said'])}")
        for one in noted
        if one["status"] >= HTTPStatus.INTERNAL_SERVER_ERROR
        or (one["valid"] and one["status"] == HTTPStatus.BAD_REQUEST)
    ]


def _plain(said: str) -> str:
    """Return an error's message without the sent value."""
    words = _WRONG.search(said)
    return re.sub(r", got .*|: .{80,}", "", words[1]) if words else said


def reasons(printed: str) -> list[str]:
    """Return why responses do not conform: the failed checks and their messages."""
    found = []
    for block in _CASE.split(printed)[1:]:
        title, wrong = _TITLE.search(block), _WRONG.search(block)
        words = ": ".join(match[1] for match in (title, wrong) if match)
        found.append(reason(words))
    return found + [reason(f"no answer: {words}") for words in _ERROR.findall(printed)]


def _plan(served: Served) -> str:
    """Build the configuration of the hooks."""
    models = {path: served.model(ability) for path, ability in ABILITIES.items()}
    files = {"picture": picture(), "recording": served.recording}
    encoded = {name: base64.b64encode(data).decode() for name, data in files.items()}
    return json.dumps({"models": models, "files": encoded})
