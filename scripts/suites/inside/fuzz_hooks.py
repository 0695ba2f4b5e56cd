"""Hooks of schemathesis: valid requests name a model that is served and stay small.

What is generated as valid would otherwise end at a model's name that nobody has. Requests that are
meant to be refused are left alone.
"""

import base64
import json
import os
from pathlib import Path
from typing import Any

import schemathesis

#: The models, by path; and files, as base64.
PLAN: dict[str, Any] = json.loads(Path(os.environ["SUITES_FUZZ"]).read_text())
#: No answer is longer, nothing is made more often.
MOST = {
    "max_tokens": 16,
    "max_completion_tokens": 16,
    "n": 2,
    "best_of": 2,
    "steps": 2,
    "num_inference_steps": 2,
}
#: Requests that were made up as valid: schemathesis looks again at what is changed, and a file in
#: a form is no string to it.
VALID: set[str] = set()
FILES = {"file": "recording", "image": "picture", "mask": "picture"}


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Make a valid request one that an engine answers."""
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
    """Note what became of the call: schemathesis itself shows one failure of a kind."""
    said = response.text if response.status_code >= 400 else ""
    note = {
        "path": case.path,
        "valid": case.id in VALID,
        "status": response.status_code,
        "said": said[:500],
    }
    with Path("calls.jsonl").open("a") as notes:
        notes.write(json.dumps(note) + "\n")
