"""The real starter model, from where the catalogue says."""

from pathlib import Path

import pytest

from oxlo import catalogue
from oxlo.weights.cache import sha256


@pytest.mark.engine
def test_smollm2_is_whole(smollm2: Path) -> None:
    """The starter model arrives whole: a GGUF file of the size and hash that its entry names."""
    [entry] = catalogue.load().resolve("smollm2-135m").weights
    assert smollm2.stat().st_size == entry.size
    assert smollm2.read_bytes()[:4] == b"GGUF"
    assert sha256(smollm2) == entry.sha256
