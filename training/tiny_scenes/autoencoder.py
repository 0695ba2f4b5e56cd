"""The autoencoder between 64 x 64 pixels and 16 x 16 latents of four channels."""

import time

import numpy as np
import torch
from diffusers import AutoencoderTiny
from numpy.typing import NDArray
from torch import Tensor

#: Noise added to latents in training, because the denoiser's output is never exact.
_NOISE = 0.1
#: Regularization of the latents towards zero, to bound their range.
_PULL = 1e-3
_BATCH = 8
_RATE = 1.5e-3


def build() -> AutoencoderTiny:
    """Build an untrained autoencoder."""
    return AutoencoderTiny(
        encoder_block_out_channels=(32, 32, 32),
        decoder_block_out_channels=(32, 32, 32),
        num_encoder_blocks=(1, 1, 2),
        num_decoder_blocks=(2, 1, 1),
    ).to(memory_format=torch.channels_last)


def train(model: AutoencoderTiny, images: NDArray[np.uint8], steps: int) -> None:
    """Train on images (N, 64, 64, 3), print the loss, and set the latents' scaling factor."""
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
    """Weight pixels by edges, which are few but define the shapes."""
    smooth = torch.nn.functional.avg_pool2d(batch, 3, stride=1, padding=1)
    return 1 + 8 * (batch - smooth).abs().mean(1, keepdim=True)


@torch.no_grad()
def encode(model: AutoencoderTiny, images: NDArray[np.uint8]) -> Tensor:
    """Encode images to unscaled latents (N, 4, 16, 16)."""
    with torch.autocast("cpu", torch.bfloat16):
        parts = [
            model.encode(to_tensor(images[at : at + 64])).latents.float()
            for at in range(0, len(images), 64)
        ]
    return torch.cat(parts)


def to_tensor(images: NDArray[np.uint8]) -> Tensor:
    """Convert images to a tensor (N, 3, 64, 64) in -1..1."""
    channels_first = torch.from_numpy(images).permute(0, 3, 1, 2)  # channels-last in memory
    return channels_first.float() / 127.5 - 1
