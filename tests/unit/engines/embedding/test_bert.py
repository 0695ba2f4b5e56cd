"""A fused BERT compared with the original."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest

from oxlo.engines.embedding.bert import fused
from oxlo.engines.embedding.config import Pooling
from oxlo.engines.embedding.encoder import Encoder
from oxlo.engines.sessions import session
from oxlo.serving.process import CannotLoad

pytestmark = pytest.mark.engine

_HEADS = 12
#: Arbitrary token ids of several lengths.
_ROWS = [[101, *range(1000, 1000 + length), 102] for length in (1, 7, 30, 254)]


def _vectors(
    model: Path | bytes, pooling: Pooling = "mean", *, normalize: bool = False
) -> npt.NDArray[np.float32]:
    return Encoder(session(model, 1, "cpu"), pooling, normalize=normalize).vectors(_ROWS)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_vectors_match_the_original(minilm: list[Path], pooling: Pooling, normalize: bool) -> None:
    """To within rounding, including padded rows."""
    written = _vectors(fused(minilm[0], _HEADS, pooling, normalize=normalize))
    original = _vectors(minilm[0], pooling, normalize=normalize)
    assert np.allclose(written, original, atol=1e-6 * np.abs(original).max())


def test_a_layer_is_seven_operations(minilm: list[Path]) -> None:
    """Plus one for the embeddings, and two for pooling and normalization."""
    written = onnx.load_model_from_string(fused(minilm[0], _HEADS, "cls", normalize=True))
    assert len(written.graph.node) == 1 + 6 * 7 + 2


@pytest.mark.parametrize(("name", "other_name"), [("attention", "mixing"), ("layer.", "block.")])
def test_other_models_are_refused(
    minilm: list[Path], tmp_path: Path, name: str, other_name: str
) -> None:
    """The error names the missing weights."""
    other = onnx.load(minilm[0])
    for constant in other.graph.initializer:
        constant.name = constant.name.replace(name, other_name)
    changed = tmp_path / "other.onnx"
    onnx.save(other, changed)
    with pytest.raises(CannotLoad, match=r"other\.onnx has no .*query\.bias"):
        fused(changed, _HEADS, "mean", normalize=True)
