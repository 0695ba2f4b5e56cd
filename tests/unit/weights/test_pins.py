"""What a hub says of a repository, and how it is kept."""

import hashlib
import json
from pathlib import Path

import pytest
from tests.unit.weights.shelf import COMMIT, CONTENT, Shelf

from oxlo import weights
from oxlo.catalogue import Repository
from oxlo.weights import pins

FILES = {
    "config.json": b'{"model_type": "llama"}',
    "model.safetensors": CONTENT,
    "original/old.safetensors": b"another copy",
    "pytorch_model.bin": b"pickled",
    "README.md": b"# A model",
}
WANTED = Repository("org/repo", None, ("*.safetensors", "*.json"))


@pytest.fixture
def held(shelf: Shelf) -> Shelf:
    """A hub with one repository."""
    shelf.hold("org/repo", FILES, large=["model.safetensors", "pytorch_model.bin"])
    return shelf


def test_a_pin_names_commit_and_hashes(held: Shelf) -> None:
    """Of the files that an engine needs, and of no others; small ones are read to be hashed."""
    pin = pins.read(WANTED, held.hub)
    assert (pin.hub, pin.revision) == ("org/repo", COMMIT)
    assert {file.path: (file.size, file.sha256) for file in pin.files} == {
        path: (len(FILES[path]), hashlib.sha256(FILES[path]).hexdigest())
        for path in ("config.json", "model.safetensors")
    }
    assert [path for path, *_ in held.seen if "safetensors" in path] == []


def test_patterns_stay_in_their_folder() -> None:
    """A star does not cross into another folder."""
    assert pins.matches("model.safetensors", "*.safetensors")
    assert not pins.matches("original/model.safetensors", "*.safetensors")
    assert pins.matches("unet/model.safetensors", "*/model.*")


def test_files_come_in_the_order_of_patterns(held: Shelf) -> None:
    """An engine that is given files knows which is which by their order."""
    pin = pins.read(WANTED, held.hub)
    assert [file.name for file in pin.entries(["*.json", "*.safetensors"])] == [
        "config.json",
        "model.safetensors",
    ]
    with pytest.raises(weights.SourceFailed, match=r"holds no \*\.gguf"):
        pin.entries(["*.gguf"])


def test_it_is_kept(held: Shelf, tmp_path: Path) -> None:
    """What was read once holds, until another commit or further files are wanted."""
    pins.keep(pins.read(WANTED, held.hub), tmp_path)
    assert pins.kept(WANTED, tmp_path) == pins.read(WANTED, held.hub)
    assert pins.kept(Repository("org/repo", COMMIT, ("*.json",)), tmp_path) is not None
    assert pins.kept(Repository("org/repo", "f" * 40, ("*.json",)), tmp_path) is None
    assert pins.kept(Repository("org/repo", None, ("*.md",)), tmp_path) is None
    assert pins.kept(Repository("org/other", None, ("*.json",)), tmp_path) is None


def test_programs_pin_at_once(held: Shelf, tmp_path: Path) -> None:
    """What another program is writing at this moment is left to it."""
    other = tmp_path / "org--repo.draft"
    other.write_bytes(b"half of a p")
    pins.keep(pins.read(WANTED, held.hub), tmp_path)
    assert other.read_bytes() == b"half of a p"


def test_pins_of_one_commit_add_up(held: Shelf, tmp_path: Path) -> None:
    """Two models that take different files of a repository share its pin."""
    pins.keep(pins.read(WANTED, held.hub), tmp_path)
    pins.keep(pins.read(Repository("org/repo", None, ("*.md",)), held.hub), tmp_path)
    kept = pins.kept(Repository("org/repo", None, ("*.md", "*.json")), tmp_path)
    assert kept is not None
    assert [file.path for file in kept.files] == ["README.md", "config.json", "model.safetensors"]


def test_a_changed_small_file_is_refused(held: Shelf) -> None:
    """What comes has to be what the commit says."""
    held.files[f"/org/repo/resolve/{COMMIT}/config.json"] = b"{}"
    with pytest.raises(weights.WrongHash, match=r"config\.json"):
        pins.read(WANTED, held.hub)


@pytest.mark.parametrize("path", ["../escape.json", "a/../../escape.json", "/etc/escape.json"])
def test_paths_stay_inside(shelf: Shelf, path: str) -> None:
    """A hub cannot name files outside of its repository."""
    shelf.hold("org/repo", {path: b"{}"})
    wanted = Repository("org/repo", None, ("*.json", "*/*.json", "*/*/*.json", "*/*/*/*.json"))
    with pytest.raises(weights.SourceFailed, match="unusable name"):
        pins.read(wanted, shelf.hub)


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "set HF_TOKEN"), (403, "accept its terms"), (404, "has no org/repo"), (500, "500")],
)
def test_refusals_say_what_to_do(held: Shelf, status: int, words: str) -> None:
    """A closed repository, one that is not there, a hub in trouble."""
    held.refusals = [status]
    with pytest.raises(weights.SourceFailed, match=words):
        pins.read(WANTED, held.hub)


def test_nonsense(shelf: Shelf) -> None:
    """A page that is no answer, as portals of networks send."""
    shelf.files["/api/models/org/repo/revision/main?blobs=true"] = json.dumps({"a": 1}).encode()
    with pytest.raises(weights.SourceFailed, match="unusable answer"):
        pins.read(WANTED, shelf.hub)


def test_unreachable() -> None:
    """A hub that is away is named."""
    with pytest.raises(weights.SourceFailed, match=r"127\.0\.0\.1:1 cannot be reached"):
        pins.read(WANTED, weights.Hub("http://127.0.0.1:1"))


def test_the_token_stays_with_the_hub(held: Shelf) -> None:
    """The hub is shown it; where it sends us on to is not."""
    elsewhere = "/elsewhere"
    held.token = "hf_secret"
    hub = held.hub
    held.token = ""
    held.files[elsewhere] = FILES["config.json"]
    target = f"http://localhost:{held.server_port}{elsewhere}"
    held.moved[f"/org/repo/resolve/{COMMIT}/config.json"] = target
    pins.read(Repository("org/repo", None, ("config.json",)), hub)
    assert held.shown == ["Bearer hf_secret", "Bearer hf_secret", None]
    assert "hf_secret" not in repr(hub)
