"""The autoencoder: 64 x 64 pixels to 16 x 16 latents of four channels, and back."""

import time

import numpy as np
import torch
from diffusers import AutoencoderTiny
from numpy.typing import NDArray
from torch import Tensor

#: Noise on the latents while training: what the denoiser makes is never exact.
_NOISE = 0.1
#: Pull of the latents towards zero: enough to keep them in range.
_PULL = 1e-3
_BATCH = 8
_RATE = 1.5e-3


def build() -> AutoencoderTiny:
    """An untrained autoencoder."""
    return AutoencoderTiny(
        encoder_block_out_channels=(32, 32, 32),
        decoder_block_out_channels=(32, 32, 32),
        num_encoder_blocks=(1, 1, 2),
        num_decoder_blocks=(2, 1, 1),
    ).to(memory_format=torch.channels_last)


def train(model: AutoencoderTiny, images: NDArray[np.uint8], steps: int) -> None:
    """Train on pictures, (N, 64, 64, 3); prints the loss, and sets the latents' scale."""
    adam = torch.optim.AdamW(model.parameters(), lr=_RATE, weight_decay=1e-4)
    pace = torch.optim.lr_scheduler.OneCycleLR(adam, _RATE, total_steps=steps, pct_start=0.1)
    began = time.monotonic()
    for step in range(steps):
        loss = _loss(model, to_tensor(images[torch.randint(len(images), (_BATCH,)).numpy()]))
        adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        pace.step()
        if step % 250 == 249:
            passed = time.monotonic() - began
            print(f"autoencoder step {step + 1} loss {loss.item():.4f} {passed:.0f} s", flush=True)
    scale = 1 / encode(model, images[:1000]).std().item()
    model.register_to_config(scaling_factor=round(scale, 5))


def _loss(model: AutoencoderTiny, batch: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        latent = model.encode(batch).latents.float()
        drawn = model.decode(latent + _NOISE * torch.randn_like(latent)).sample.float()
    miss = drawn - batch
    wrong = (_edges(batch) * (miss.abs() + 2 * miss.square())).mean()
    return wrong + _PULL * latent.square().mean()


def _edges(batch: Tensor) -> Tensor:
    """A weight for each pixel, more along edges: they are few, and they make the shape."""
    smooth = torch.nn.functional.avg_pool2d(batch, 3, stride=1, padding=1)
    return 1 + 8 * (batch - smooth).abs().mean(1, keepdim=True)


@torch.no_grad()
def encode(model: AutoencoderTiny, images: NDArray[np.uint8]) -> Tensor:
    """Latents of pictures, (N, 4, 16, 16), not yet scaled."""
    with torch.autocast("cpu", torch.bfloat16):
        parts = [
            model.encode(to_tensor(images[at : at + 64])).latents.float()
            for at in range(0, len(images), 64)
        ]
    return torch.cat(parts)


def to_tensor(images: NDArray[np.uint8]) -> Tensor:
    """Pictures as (N, 3, 64, 64) from -1 to 1."""
    channels_first = torch.from_numpy(images).permute(0, 3, 1, 2)  # lies channels-last in memory
    return channels_first.float() / 127.5 - 1
