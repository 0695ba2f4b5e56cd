"""Converts an encoder to llama.cpp: `python -m tiny_sight.projector ENCODER VECTORS FILE`."""

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tiny_sight import caption, gguf
from tiny_sight.encoder import EPSILON, Encoder
from tiny_sight.painting import PATCH, SIDE

_PARTS = {"q": "attn_q", "k": "attn_k", "v": "attn_v", "out": "attn_out"}
_PARTS |= {"up": "ffn_up", "down": "ffn_down", "ln1": "ln1", "ln2": "ln2"}
_NAMES = {"patches": "v.patch_embd", "last": "v.post_ln", "fit": "mm.0"}


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("encoder", type=Path, help="encoder.pt of a trained folder")
    parser.add_argument("vectors", type=Path, help="vectors.npy of a tuned folder")
    parser.add_argument("file", type=Path, help="the projector to write")
    chosen = parser.parse_args()
    model = Encoder(len(caption.vocabulary()))
    model.load_state_dict(torch.load(chosen.encoder, weights_only=True))
    write(chosen.file, model, np.load(chosen.vectors))


def write(path: Path, model: Encoder, vectors: NDArray[np.float32]) -> None:
    """Write the projector; `vectors` are the vocabulary's embeddings (words, model width)."""
    tensors = {_name(name): _array(value) for name, value in model.state_dict().items()}
    tensors["mm.2.weight"] = vectors.T.astype(np.float16)
    tensors["mm.2.bias"] = np.zeros(vectors.shape[1], np.float32)
    gguf.write(path, _head(model, vectors.shape[1]), tensors)


def _head(model: Encoder, width: int) -> dict[str, object]:
    shape = model.shape
    return {
        "general.architecture": "clip",
        "general.type": "mmproj",
        "general.name": "tiny-sight",
        "general.license": "apache-2.0",
        "clip.has_vision_encoder": True,
        "clip.projector_type": "mlp",
        "clip.use_gelu": True,
        "clip.vision.image_size": SIDE,
        "clip.vision.patch_size": PATCH,
        "clip.vision.embedding_length": shape.width,
        "clip.vision.feed_forward_length": shape.middle,
        "clip.vision.projection_dim": width,
        "clip.vision.block_count": shape.layers,
        # Use the output of all layers; llama.cpp's default skips the last one.
        "clip.vision.feature_layer": [shape.layers],
        "clip.vision.attention.head_count": shape.heads,
        "clip.vision.attention.layer_norm_epsilon": EPSILON,
        "clip.vision.image_mean": [0.5, 0.5, 0.5],
        "clip.vision.image_std": [0.5, 0.5, 0.5],
    }


def _name(name: str) -> str:
    """Return a tensor's name in llama.cpp."""
    if name == "places":
        return "v.position_embd.weight"
    *path, part, kind = name.split(".")
    if path:
        return f"v.blk.{path[1]}.{_PARTS[part]}.{kind}"
    return f"{_NAMES[part]}.{kind}"


def _array(value: torch.Tensor) -> NDArray[np.generic]:
    """Convert to half precision, except vectors and the patch embedding's kernel."""
    array = value.detach().float().numpy()
    return array.astype(np.float16) if array.ndim == 2 else array


if __name__ == "__main__":
    main()
