"""What of a model's weights is here, and fetching the rest."""

from pathlib import Path
from typing import Any

import pytest
from tests import models
from tests.unit.weights.shelf import CONTENT, Shelf, hub, weights_file

from oxlo import weights
from oxlo.catalogue import Model, Source, Variant
from oxlo.catalogue.model import Part
from oxlo.weights import Stock
from oxlo.weights.stock import needs

FILES = {
    "config.json": b"{}",
    "model-1.safetensors": CONTENT,
    "model-2.safetensors": b"more",
    "tokenizer/vocabulary.txt": b"a b c",
    "model.Q4.gguf": b"GGUF small",
    "mmproj.gguf": b"GGUF eyes",
}


def model(*variants: Variant, **fields: Any) -> Model:
    return models.model("mine", variants=variants, **fields)


VLLM = Variant(hardware="l40s", engine="vllm")
GGUF = Variant(hardware="cpu", engine="llamacpp", files=("model.*.gguf", "mmproj.gguf"))


@pytest.fixture
def stock(shelf: Shelf, tmp_path: Path) -> Stock:
    """An empty installation, and a hub with one repository."""
    shelf.hold("org/repo", FILES, large=[name for name in FILES if "model" in name])
    return Stock(tmp_path / "weights", tmp_path / "pins", tmp_path / "supplied", shelf.hub)


def test_a_repository_becomes_a_folder(stock: Stock) -> None:
    """vLLM is given a folder with its files, and nothing that it does not need."""
    mine = model(VLLM, hub="org/repo")
    stock.fetch([(mine, VLLM)])
    (folder,) = stock.locate(mine, VLLM)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        name: FILES[name] for name in ("config.json", "model-1.safetensors", "model-2.safetensors")
    }


def test_files_of_a_model_become_a_folder(stock: Stock, tmp_path: Path) -> None:
    """vLLM takes nothing else, wherever the files are from."""
    (tmp_path / "config.json").write_bytes(CONTENT)
    source = Source(folder=tmp_path, path=("config.json",))
    mine = model(VLLM, weights=(weights_file(source, name="config.json"),))
    stock.fetch([(mine, VLLM)])
    (folder,) = stock.locate(mine, VLLM)
    assert (folder / "config.json").read_bytes() == CONTENT


def test_others_get_files_in_order(stock: Stock) -> None:
    """llama.cpp is given the model, then its eyes."""
    mine = model(GGUF, hub="org/repo")
    stock.fetch([(mine, GGUF)])
    assert [path.name for path in stock.locate(mine, GGUF)] == ["model.Q4.gguf", "mmproj.gguf"]


def test_a_variant_has_weights_of_its_own(stock: Stock) -> None:
    """A quantised repository beside the model's own; files by hash stay with the others."""
    known = weights_file(hub())
    other = Variant(hardware="a100", engine="vllm", hub="org/repo")
    mine = model(GGUF, other, weights=(known,))
    assert needs(mine, GGUF) == []
    assert stock.files(mine, GGUF) == (known,)
    assert {file.name for file in stock.files(mine, other)} == {
        "config.json",
        "model-1.safetensors",
        "model-2.safetensors",
    }


def test_nothing_is_fetched_twice(shelf: Shelf, stock: Stock) -> None:
    """Not even the hub is asked again about what is pinned and here."""
    mine = model(VLLM, hub="org/repo")
    stock.fetch([(mine, VLLM)])
    asked = len(shelf.seen)
    stock.fetch([(mine, VLLM)])
    assert len(shelf.seen) == asked


def test_layout_costs_no_disk(stock: Stock) -> None:
    """Files of a repository are those of the cache, under a second name."""
    mine = model(VLLM, hub="org/repo")
    paths = stock.fetch([(mine, VLLM)])
    (folder,) = stock.locate(mine, VLLM)
    assert {path.resolve() for path in folder.iterdir()} == set(paths)


def test_parts_take_their_places(shelf: Shelf, stock: Stock) -> None:
    """A file of another repository replaces one of the base's, under the base's name."""
    shelf.hold("org/tuned", {"tuned.bin": b"tuned"}, large=["tuned.bin"])
    part = Part(hub="org/tuned", path="tuned.bin", name="model-2.safetensors")
    mine = model(VLLM, hub="org/repo", parts=(part,))
    stock.fetch([(mine, VLLM)])
    (folder,) = stock.locate(mine, VLLM)
    assert (folder / "model-2.safetensors").read_bytes() == b"tuned"
    assert (folder / "model-1.safetensors").read_bytes() == CONTENT


def test_missing_says_how(stock: Stock) -> None:
    """Before the first pull, and when a file went away."""
    mine = model(VLLM, hub="org/repo")
    with pytest.raises(weights.Missing, match="oxlo models pull mine"):
        stock.locate(mine, VLLM)
    stock.fetch([(mine, VLLM)])
    (stock.locate(mine, VLLM)[0] / "config.json").resolve().unlink()
    with pytest.raises(weights.Missing, match="oxlo models pull mine"):
        stock.locate(mine, VLLM)


def test_the_operators_own_files(stock: Stock) -> None:
    """A file that only the operator can bring is looked for in one place."""
    variant = Variant(hardware="cpu", engine="onnx")
    mine = model(variant, supplied=("mine.onnx",))
    with pytest.raises(weights.Missing, match=r"mine\.onnx is not there: `oxlo models show mine`"):
        stock.locate(mine, variant)
    stock.supplied.mkdir()
    (stock.supplied / "mine.onnx").write_bytes(b"onnx")
    assert stock.locate(mine, variant) == [stock.supplied / "mine.onnx"]


def test_elsewhere_needs_nothing(shelf: Shelf, stock: Stock) -> None:
    """A server that somebody else runs has its own weights."""
    remote = Variant(hardware="remote", engine="upstream")
    mine = model(remote, hub="org/repo")
    assert stock.fetch([(mine, remote)]) == []
    assert stock.locate(mine, remote) == []
    assert shelf.seen == []
