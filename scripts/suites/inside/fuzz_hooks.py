"""Schemathesis hooks that give valid requests a served model and keep them small.

Generated model names would otherwise make all requests fail. Requests that are meant to be rejected
are not changed.
"""

import base64
import json
import os
from pathlib import Path
from typing import Any

import schemathesis

#: Models by path, and files as base64.
PLAN: dict[str, Any] = json.loads(Path(os.environ["SUITES_FUZZ"]).read_text())
#: Upper limits of response lengths and counts.
MOST = {
    "max_tokens": 16,
    "max_completion_tokens": 16,
    "n": 2,
    "best_of": 2,
    "steps": 2,
    "num_inference_steps": 2,
}
#: Requests generated as valid; schemathesis revalidates changed ones and rejects files in forms.
VALID: set[str] = set()
FILES = {"file": "recording", "image": "picture", "mask": "picture"}


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Change a valid request so that an engine can answer it."""
    if not case.meta.generation.mode.is_positive:
        return
    VALID.add(case.id)
    if not isinstance(case.body, dict):
        return
    body = case.body
    body["model"] = PLAN["models"].get(case.path, body.get("model"))
    body.pop("models", None)
    for name, most in MOST.items():
        if isinstance(body.get(name), int):
            body[name] = min(body[name], most)
    if case.path.endswith("completions"):
        body.setdefault("max_tokens", 16)
    for name in FILES.keys() & body.keys():
        if body[name] is not None:
            body[name] = _file(name, case.media_type)


def _file(name: str, media_type: str | None) -> Any:
    data = PLAN["files"][FILES[name]]
    if media_type == "multipart/form-data":
        return base64.b64decode(data)
    return f"data:image/png;base64,{data}"


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Record the result, because schemathesis only shows one failure of each kind."""
    said = response.text if response.status_code >= 400 else ""
    note = {
        "path": case.path,
        "valid": case.id in VALID,
        "status": response.status_code,
        "said": said[:500],
    }
    with Path("calls.jsonl").open("a") as notes:
        notes.write(json.dumps(note) + "\n")
