"""`oxlo models`, run as a user runs it."""

import hashlib
import json
from pathlib import Path

import pytest
from tests.unit.weights.shelf import COMMIT, Shelf
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
variants = [{{ hardware = "cpu", engine = "llamacpp" }}]
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
    assert (before["mine"]["state"], after["mine"]["state"]) == ("not fetched", "here")
    assert before["yolov9"]["state"] == "to be supplied"
    assert before["glm-5"]["state"] == "not for this machine"


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


REPOSITORY = """
id = "many"
name = "Many files"
category = "chat"
tier = "free"
description = "A model in a hub's repository."
abilities = ["chat"]
licence = "MIT"
homepage = "https://example.com"
created = 1
hub = "org/repo"

[[variants]]
hardware = "cpu"
engine = "llamacpp"
files = ["*.gguf"]

[[variants]]
hardware = "l40s"
engine = "vllm"
"""


@pytest.fixture
def hub(home: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """A hub that holds the repository of a second model."""
    (home / "models.d" / "many.toml").write_text(REPOSITORY)
    files = {"m.gguf": b"GGUF", "config.json": b"{}", "m.safetensors": b"tensors"}
    shelf.hold("org/repo", files, large=["m.gguf", "m.safetensors"])
    monkeypatch.setenv("OXLO_HUB_URL", shelf.url)
    return shelf


def test_pull_a_repository(home: Path, hub: Shelf) -> None:
    """The files that this machine's engine needs; those for other hardware when it is named."""
    code, out, _ = run("pull", "many")
    assert code == 0
    assert [line.rpartition("/")[2].split()[0] for line in out.splitlines()] == ["m.gguf"]
    assert Path(out.split()[0]).read_bytes() == b"GGUF"
    _, out, _ = run("pull", "many", "--hardware", "l40s")
    names = [line.rpartition("/")[2].split()[0] for line in out.splitlines()]
    assert names == ["m.safetensors", "config.json"]


def test_pin(home: Path, hub: Shelf) -> None:
    """The commit and the files of a repository, for all its hardware; then they are shown."""
    assert "org/repo (not pinned yet)" in run("show", "many")[1]
    code, out, _ = run("pin", "many")
    assert (code, out) == (0, f"org/repo@{COMMIT}  3 files, 0 MB\n")
    assert f"org/repo ({COMMIT})" in run("show", "many")[1]


def test_pin_goes_on(home: Path, hub: Shelf) -> None:
    """A repository that cannot be read is said; the others are pinned all the same."""
    other = REPOSITORY.replace('"many"', '"gone"').replace("org/repo", "org/gone")
    (home / "models.d" / "gone.toml").write_text(other)
    code, out, err = run("pin", "gone", "many")
    assert code == 1
    assert f"org/repo@{COMMIT}" in out
    assert "has no org/gone" in err


def test_pull_for_no_hardware(home: Path, hub: Shelf) -> None:
    """What a model is for is said where it is not for this machine, or for what was named."""
    assert (
        "many has no variant for t4: it is for cpu, l40s"
        in run("pull", "many", "--hardware", "t4")[2]
    )
    assert "does not run on this machine" in run("pull", "glm-5")[2]


def test_pull_of_what_is_supplied(home: Path) -> None:
    """There is nothing to fetch, and that is no success until the file is there."""
    file = home / "supplied" / "yolov9.onnx"
    code, _, err = run("pull", "mine", "yolov9")
    assert code == 1
    assert f"{file} is not there: `oxlo models show yolov9` says how to make it" in err
    file.parent.mkdir()
    file.write_bytes(b"onnx")
    code, out, _ = run("pull", "mine", "yolov9")
    assert (code, out.splitlines()[-1]) == (0, str(file))


def test_pull_without_its_group(home: Path) -> None:
    """`oxlo pull` is the same as `oxlo models pull`."""
    result = CliRunner().invoke(app, ["pull", "mine"])
    assert (result.exit_code, DIGEST in result.stdout) == (0, True)


def test_show_says_how_to_supply(home: Path) -> None:
    """A model whose weights the operator brings says where they go."""
    shown = run("show", "yolov9")[1]
    assert str(home / "supplied" / "yolov9.onnx") in shown
    assert "export.py" in shown
    assert "Built on" in run("show", "oxlo-coder-fast")[1]


def test_show_links_to_this_documentation(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The card of a model that comes with Oxlo is where this installation's pages are."""
    monkeypatch.setenv("OXLO_PUBLIC_URL", "https://ai.example.org/")
    assert "https://ai.example.org/docs/models/tiny-scenes" in run("show", "tiny-scenes")[1]
    assert "https://huggingface.co/hexgrad/Kokoro-82M" in run("show", "kokoro-82m")[1]
