"""`oxlo models`, run as a user runs it."""

import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from oxlo.cli import app

CONTENT = b"GGUF and the rest"
DIGEST = hashlib.sha256(CONTENT).hexdigest()

MODEL = """
id = "mine"
name = "Mine"
category = "chat"
tier = "free"
description = "A model of the operator's own."
aliases = ["my-model"]
abilities = ["chat"]
context_length = 4096
licence = "MIT"
homepage = "https://example.com"
created = 1
weights = [{{ name = "mine.gguf", sha256 = "{digest}", size = {size}, sources = [
  {{ folder = "{folder}", path = ["mine.gguf"] }},
] }}]
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation with one model of the operator's own, in a folder."""
    (tmp_path / "mine.gguf").write_bytes(CONTENT)
    (tmp_path / "models.d").mkdir()
    text = MODEL.format(digest=DIGEST, size=len(CONTENT), folder=tmp_path)
    (tmp_path / "models.d" / "mine.toml").write_text(text)
    monkeypatch.setenv("OXLO_HOME", str(tmp_path))
    return tmp_path


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["models", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_pull(home: Path) -> None:
    """Pulling prints where each file is and its hash; by alias too, and again at no cost."""
    place = home / "weights" / DIGEST / "mine.gguf"
    for _ in range(2):
        code, out, _err = run("pull", "my-model")
        assert (code, out) == (0, f"{place}  sha256:{DIGEST}\n")
    assert place.read_bytes() == CONTENT


def test_pull_verify(home: Path) -> None:
    """`--verify` puts a damaged file right."""
    run("pull", "mine")
    place = home / "weights" / DIGEST / "mine.gguf"
    place.unlink()
    place.write_bytes(b"damaged")
    assert run("pull", "--verify", "mine")[0] == 0
    assert place.read_bytes() == CONTENT


def test_list_json(home: Path) -> None:
    """The list says what is here."""
    before = {model["id"]: model for model in json.loads(run("list", "--json")[1])}
    run("pull", "mine")
    after = {model["id"]: model for model in json.loads(run("list", "--json")[1])}
    assert {"mine", "smollm2-135m", "qwen2.5-coder-0.5b"} <= set(before)
    assert (before["mine"]["here"], after["mine"]["here"]) == (False, True)


def test_list_and_show(home: Path) -> None:
    """Tables for people name the model, its licence and its source."""
    assert "smollm2-135m" in run("list")[1]
    shown = run("show", "mine")[1]
    assert "MIT" in shown
    assert f"folder {home}" in shown
    assert "not fetched" in shown


def test_unknown_model(home: Path) -> None:
    """An unknown model is one line on stderr and exit code 1."""
    code, out, err = run("pull", "mime")
    assert (code, out) == (1, "")
    assert "Did you mean mine?" in err
    assert len(err.splitlines()) == 1


def test_failed_pull(home: Path) -> None:
    """A pull that fails says in one line which source had what."""
    (home / "mine.gguf").write_bytes(b"something else")
    code, _out, err = run("pull", "mine")
    assert code == 1
    [line] = [line for line in err.splitlines() if line.startswith("oxlo:")]
    assert DIGEST in line
    assert hashlib.sha256(b"something else").hexdigest() in line
