"""A vision projector for tests in llama.cpp's format, with random weights.

It recognises nothing, but outputs still depend on the image, and an image takes as many tokens as
with real weights of this shape.
"""

import math
import random
from pathlib import Path

import numpy as np

from tiny_sight import gguf

#: Side of an image and of a patch in pixels; hidden dimensions.
_SIZE, _PATCH, _WIDTH = 64, 16, 32
#: Tokens of one image.
TOKENS = (_SIZE // _PATCH) ** 2


def write(path: Path, text_width: int) -> Path:
    """Write a projector for a model with `text_width` embedding dimensions."""
    rng = random.Random(0)
    tensors = {
        name: np.array([rng.gauss(0, 0.2) for _ in range(math.prod(shape))], np.float32)
        # numpy has the dimensions in reverse order.
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
    """Tensor shapes by name, in llama.cpp's order; each has a bias of its last dimension."""
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
