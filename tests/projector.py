"""A vision projector for tests: llama.cpp's format, random weights, so nothing is recognised.

What a model says of a picture is still a function of the picture, and takes as many tokens as it
would with real weights of this shape.
"""

import math
import random
from pathlib import Path

import numpy as np

from tiny_sight import gguf

#: Pixels of a side, and of a patch's side; dimensions inside.
_SIZE, _PATCH, _WIDTH = 64, 16, 32
#: What one picture is for the model.
TOKENS = (_SIZE // _PATCH) ** 2


def write(path: Path, text_width: int) -> Path:
    """A projector for a model whose tokens have `text_width` dimensions."""
    rng = random.Random(0)
    tensors = {
        name: np.array([rng.gauss(0, 0.2) for _ in range(math.prod(shape))], np.float32)
        # numpy names the dimensions the other way round.
        .reshape(shape[::-1])
        for name, shape in _shapes(text_width).items()
    }
    gguf.write(path, _metadata(text_width), tensors)
    return path


def _metadata(text_width: int) -> dict[str, object]:
    return {
        "general.architecture": "clip",
        "general.type": "mmproj",
        "clip.has_vision_encoder": True,
        "clip.projector_type": "mlp",
        "clip.use_gelu": True,
        "clip.vision.image_size": _SIZE,
        "clip.vision.patch_size": _PATCH,
        "clip.vision.embedding_length": _WIDTH,
        "clip.vision.feed_forward_length": 2 * _WIDTH,
        "clip.vision.projection_dim": text_width,
        "clip.vision.block_count": 1,
        "clip.vision.attention.head_count": 2,
        "clip.vision.attention.layer_norm_epsilon": 1e-6,
        "clip.vision.image_mean": [0.5, 0.5, 0.5],
        "clip.vision.image_std": [0.5, 0.5, 0.5],
    }


def _shapes(text_width: int) -> dict[str, tuple[int, ...]]:
    """Tensors by name, in llama.cpp's order of dimensions; each has a bias of its last one."""
    weights: dict[str, tuple[int, ...]] = {
        "v.patch_embd": (_PATCH, _PATCH, 3, _WIDTH),
        "v.post_ln": (_WIDTH,),
        "v.blk.0.ffn_up": (_WIDTH, 2 * _WIDTH),
        "v.blk.0.ffn_down": (2 * _WIDTH, _WIDTH),
        "mm.0": (_WIDTH, text_width),
        "mm.2": (text_width, text_width),
    }
    weights |= {f"v.blk.0.attn_{part}": (_WIDTH, _WIDTH) for part in ("q", "k", "v", "out")}
    weights |= {f"v.blk.0.{norm}": (_WIDTH,) for norm in ("ln1", "ln2")}
    shapes = {f"{name}.weight": shape for name, shape in weights.items()}
    shapes |= {f"{name}.bias": shape[-1:] for name, shape in weights.items()}
    return shapes | {"v.position_embd.weight": (_WIDTH, TOKENS)}
