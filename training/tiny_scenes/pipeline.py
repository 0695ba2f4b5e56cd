"""Saving and running the trained networks as a diffusers pipeline."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny, DPMSolverMultistepScheduler, StableDiffusionPipeline
from numpy.typing import NDArray

from tiny_scenes.denoiser import LEVELS, Denoiser

STEPS = 16
GUIDANCE = 3.0


def assemble(vae: AutoencoderTiny, denoiser: Denoiser) -> StableDiffusionPipeline:
    """Assemble diffusers' standard text-to-image pipeline from the trained networks."""
    pipeline = StableDiffusionPipeline(
        vae=vae,
        text_encoder=denoiser.text,
        tokenizer=denoiser.tokenizer,
        unet=denoiser.unet,
        scheduler=_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _scheduler() -> DPMSolverMultistepScheduler:
    return DPMSolverMultistepScheduler(
        num_train_timesteps=LEVELS,
        prediction_type="flow_prediction",
        use_flow_sigmas=True,
        flow_shift=2.5,
        final_sigmas_type="zero",
    )


def save(pipeline: StableDiffusionPipeline, folder: Path) -> None:
    """Save the pipeline in half precision, as safetensors and JSON only."""
    half = {name: part.half() for name, part in _networks(pipeline).items()}
    pipeline.save_pretrained(folder, safe_serialization=True)
    for part in half.values():
        part.float()
    _load_as_floats(folder / "text_encoder" / "config.json")
    for file in folder.rglob("*.safetensors"):
        file.chmod(0o644)


def _load_as_floats(config: Path) -> None:
    """Set the dtype to float32, as transformers would load its part in half precision."""
    said = json.loads(config.read_text())
    config.write_text(json.dumps(said | {"dtype": "float32"}, indent=2) + "\n")


def _networks(pipeline: StableDiffusionPipeline) -> dict[str, torch.nn.Module]:
    parts = pipeline.components.items()
    return {name: part for name, part in parts if isinstance(part, torch.nn.Module)}


def draw(
    pipeline: StableDiffusionPipeline,
    captions: Sequence[str],
    seed: int,
    *,
    steps: int = STEPS,
    guidance: float = GUIDANCE,
) -> NDArray[np.uint8]:
    """Generate one image per caption, (N, 64, 64, 3)."""
    images = pipeline(
        list(captions),
        num_inference_steps=steps,
        guidance_scale=guidance,
        generator=torch.Generator().manual_seed(seed),
        output_type="np",
    ).images
    return np.asarray((images * 255).round().astype(np.uint8))
