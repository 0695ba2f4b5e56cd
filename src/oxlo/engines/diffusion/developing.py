"""Latents made visible, the way that pipelines end: they themselves do it only when they end."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from oxlo.wire.decode import unsupported
from oxlo.wire.sizes import Size

if TYPE_CHECKING:
    from PIL.Image import Image


def develop(pipeline: Any, latents: Tensor, size: Size) -> "Image | None":
    """The picture; None where the model's own safety checker holds it back.

    Raises BadRequest for a class of pipelines whose latents we cannot read.
    """
    vae = pipeline.vae
    with _precise(pipeline, vae):
        scaled = _scaled(_unpacked(pipeline, latents[:1], size), vae)
        pixels = vae.decode(scaled.to(vae.dtype), return_dict=False)[0]
    if pixels.ndim > 4:  # what is made for films has a time
        pixels = pixels[:, :, 0]
    if _held_back(pipeline, pixels):
        return None
    picture: Image = pipeline.image_processor.postprocess(pixels, output_type="pil")[0]
    return picture


@contextmanager
def _precise(pipeline: Any, vae: Any) -> Iterator[None]:
    """In 32 bits where 16 are too few for a decoder, as with SDXL's."""
    if vae.dtype != torch.float16 or not vae.config.get("force_upcast"):
        yield
        return
    vae.to(dtype=torch.float32)
    try:
        yield
    finally:
        vae.to(dtype=torch.float16)


def _unpacked(pipeline: Any, latents: Tensor, size: Size) -> Tensor:
    """As a grid: transformers have them in a row."""
    if latents.ndim != 3:
        return latents
    width, height = size
    if hasattr(pipeline, "_unpack_latents"):
        return pipeline._unpack_latents(latents, height, width, pipeline.vae_scale_factor)
    if not hasattr(pipeline, "_unpatchify_latents"):
        raise unsupported("partial_images", "this model only shows finished images. Set it to 0.")
    side = pipeline.vae_scale_factor * 2
    rows = latents.transpose(1, 2).unflatten(2, (height // side, width // side))
    norm = pipeline.vae.bn
    spread = (norm.running_var + pipeline.vae.config.batch_norm_eps).sqrt()
    patches = rows * _shaped(spread, rows) + _shaped(norm.running_mean, rows)
    return pipeline._unpatchify_latents(patches)


def _scaled(latents: Tensor, vae: Any) -> Tensor:
    """As the decoder knows them: models are trained on others, which are about as large as 1."""
    config = vae.config
    factor, shift = config.get("scaling_factor") or 1.0, config.get("shift_factor") or 0.0
    mean, spread = config.get("latents_mean"), config.get("latents_std")
    if mean is None or spread is None:
        return latents / factor + shift
    spread, mean = (_shaped(torch.tensor(numbers), latents) for numbers in (spread, mean))
    return latents * spread / factor + mean


def _shaped(numbers: Tensor, like: Tensor) -> Tensor:
    """One for each channel."""
    return numbers.to(like).view(1, -1, *(1,) * (like.ndim - 2))


def _held_back(pipeline: Any, pixels: Tensor) -> bool:
    if getattr(pipeline, "safety_checker", None) is None:
        return False
    # A copy: what it holds back, it blackens.
    _, found = pipeline.run_safety_checker(pixels.clone(), pixels.device, pixels.dtype)
    return any(found or ())
