"""Decoding of cl100k token ids."""

import base64
from pathlib import Path

import pytest

from oxlo.engines.embedding.cl100k import Cl100k
from oxlo.errors import BadRequest


@pytest.mark.engine
@pytest.mark.parametrize(
    ("ids", "text"),
    [
        ([9906, 1917], "Hello world"),
        ([4438, 374, 279, 9282, 30], "How is the weather?"),
        ([57668, 53901, 3574, 244, 98220], "你好世界"),
        ([100257], "<|endoftext|>"),
        ([9468], "�"),
    ],
)
def test_ids_become_text(minilm: list[Path], ids: list[int], text: str) -> None:
    """As tiktoken decodes them, including truncated characters."""
    assert Cl100k(minilm[2]).text(ids) == text


@pytest.mark.engine
@pytest.mark.parametrize("number", [-1, 100256, 100300, 10**30])
def test_unknown_ids_are_refused(minilm: list[Path], number: int) -> None:
    """The error names the id."""
    with pytest.raises(BadRequest, match=f"{number} is no token") as refused:
        Cl100k(minilm[2]).text([9906, number])
    assert refused.value.param == "input"


def test_a_file_of_something_else(tmp_path: Path) -> None:
    """Ranks that are out of order would decode to nonsense."""
    path = tmp_path / "other.tiktoken"
    path.write_bytes(base64.b64encode(b"a") + b" 1\n" + base64.b64encode(b"b") + b" 0\n")
    with pytest.raises(ValueError, match="in order"):
        Cl100k(path)
