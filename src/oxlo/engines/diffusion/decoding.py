"""Decoding latents to a picture before the pipeline has ended.

Pipelines do this only as their last step; a partial image needs it in between.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from oxlo.wire.decode import unsupported
from oxlo.wire.sizes import Size

if TYPE_CHECKING:
    from PIL.Image import Image


def decode(pipeline: Any, latents: Tensor, size: Size) -> "Image | None":
    """The picture of the first latents; None if the model's safety checker withholds it.

    Raises BadRequest for a pipeline class whose latents cannot be unpacked.
    """
    vae = pipeline.vae
    with _upcast(pipeline, vae):
        scaled = _unscaled(_unpacked(pipeline, latents[:1], size), vae)
        pixels = vae.decode(scaled.to(vae.dtype), return_dict=False)[0]
    if pixels.ndim > 4:  # decoders of video models have a time axis
        pixels = pixels[:, :, 0]
    if _withheld(pipeline, pixels):
        return None
    picture: Image = pipeline.image_processor.postprocess(pixels, output_type="pil")[0]
    return picture


@contextmanager
def _upcast(pipeline: Any, vae: Any) -> Iterator[None]:
    """Run a decoder that overflows in float16 (SDXL's) in float32."""
    if vae.dtype != torch.float16 or not vae.config.get("force_upcast"):
        yield
        return
    vae.to(dtype=torch.float32)
    try:
        yield
    finally:
        vae.to(dtype=torch.float16)


def _unpacked(pipeline: Any, latents: Tensor, size: Size) -> Tensor:
    """Latents as (batch, channels, height, width); transformers hold them as a sequence."""
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
    deviation = (norm.running_var + pipeline.vae.config.batch_norm_eps).sqrt()
    patches = rows * _per_channel(deviation, rows) + _per_channel(norm.running_mean, rows)
    return pipeline._unpatchify_latents(patches)


def _unscaled(latents: Tensor, vae: Any) -> Tensor:
    """Undo the normalisation that diffusion models are trained with."""
    config = vae.config
    factor, shift = config.get("scaling_factor") or 1.0, config.get("shift_factor") or 0.0
    mean, deviation = config.get("latents_mean"), config.get("latents_std")
    if mean is None or deviation is None:
        return latents / factor + shift
    deviation, mean = (_per_channel(torch.tensor(each), latents) for each in (deviation, mean))
    return latents * deviation / factor + mean


def _per_channel(values: Tensor, like: Tensor) -> Tensor:
    """One value for each channel, in a shape that broadcasts over `like`."""
    return values.to(like).view(1, -1, *(1,) * (like.ndim - 2))


def _withheld(pipeline: Any, pixels: Tensor) -> bool:
    if getattr(pipeline, "safety_checker", None) is None:
        return False
    # A copy, because the checker blackens what it withholds.
    _, found = pipeline.run_safety_checker(pixels.clone(), pixels.device, pixels.dtype)
    return any(found or ())
