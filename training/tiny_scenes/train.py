"""Trains `tiny-scenes` from nothing: `python -m tiny_scenes.train FOLDER`.

On one quiet thread of a server: the autoencoder about 9 minutes, the denoiser about 30.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny, StableDiffusionPipeline
from numpy.random import default_rng
from torch import Tensor, nn

from tiny_scenes import autoencoder, captions, dataset, denoiser, judge, pipeline, score, words
from tiny_scenes.denoiser import Average, Denoiser

_BATCH = 48
_RATE = 1e-3
_WARM_UP = 200
_REPORT = 50


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the trained pipeline is written")
    parser.add_argument("--scenes", type=int, default=24_000)
    parser.add_argument("--autoencoder-steps", type=int, default=6_500)
    parser.add_argument("--steps", type=int, default=4_600, help="of the denoiser")
    parser.add_argument("--checkpoint", type=int, default=500, help="steps between two")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(chosen.seed)
    drawn = dataset.make(chosen.scenes, chosen.seed)
    vae = _autoencoder(chosen.folder / "vae", drawn, chosen.autoencoder_steps)
    latents = autoencoder.encode(vae, drawn.images) * vae.config.scaling_factor
    model = denoiser.build(words.build())
    training = Training(model, latents, drawn, chosen.seed)
    for step in range(chosen.steps):
        training.step(step, chosen.steps)
        if (step + 1) % chosen.checkpoint == 0 or step + 1 == chosen.steps:
            training.checkpoint(vae, chosen.folder)


def _autoencoder(folder: Path, drawn: dataset.Drawn, steps: int) -> AutoencoderTiny:
    """The trained autoencoder; one that an earlier run left in the folder is used again."""
    if (folder / "config.json").exists():
        return AutoencoderTiny.from_pretrained(folder)
    vae = autoencoder.build()
    autoencoder.train(vae, drawn.images, steps)
    vae.save_pretrained(folder)
    return vae


class Training:
    """The denoiser's training: warm-up, a level stretch, then cooling down to nothing."""

    def __init__(self, model: Denoiser, latents: Tensor, drawn: dataset.Drawn, seed: int) -> None:
        self._model = model
        self._latents = latents
        self._scenes = drawn.scenes
        self._random = default_rng(seed)
        self._weights = model.parameters()
        self._optimizers = _optimizers(model)
        self._average = Average(self._weights)
        self._losses: list[float] = []
        self._began = time.monotonic()

    def step(self, step: int, steps: int) -> None:
        """One step of so many; now and then prints the mean loss since it last did."""
        for group in (group for one in self._optimizers for group in one.param_groups):
            group["lr"] = _RATE * pace(step, steps)
        self._losses.append(self._descend())
        self._average.update(self._weights, step)
        if len(self._losses) == _REPORT:
            passed = time.monotonic() - self._began
            print(f"step {step + 1} loss {np.mean(self._losses):.4f} {passed:.0f} s", flush=True)
            self._losses.clear()

    def _descend(self) -> float:
        """The loss of some scenes with new captions, made smaller."""
        chosen = self._random.integers(len(self._scenes), size=_BATCH)
        said = [captions.loose(self._scenes[number], self._random) for number in chosen]
        for optimizer in self._optimizers:
            optimizer.zero_grad()
        loss = self._model.loss(self._latents[torch.from_numpy(chosen)], said)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._weights, 1.0)
        for optimizer in self._optimizers:
            optimizer.step()
        return loss.item()

    def checkpoint(self, vae: AutoencoderTiny, folder: Path) -> None:
        """Write and try the averaged weights; the newest ones go on being trained."""
        newest = [weight.detach().clone() for weight in self._weights]
        self._average.put_into(self._weights)
        made = pipeline.assemble(vae, self._model)
        pipeline.save(made, folder)
        print(_tried(made), flush=True)
        with torch.no_grad():
            torch._foreach_copy_(self._weights, newest)


def _optimizers(model: Denoiser) -> list[torch.optim.Optimizer]:
    """Muon for matrices, which then need fewer samples; AdamW for all else."""
    tables = {id(part.weight) for part in model.text.modules() if isinstance(part, nn.Embedding)}
    weights = model.parameters()
    matrices = [one for one in weights if one.ndim == 2 and id(one) not in tables]
    chosen = {id(one) for one in matrices}
    others = [one for one in weights if id(one) not in chosen]
    return [
        torch.optim.Muon(matrices, _RATE, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, _RATE, (0.9, 0.99), weight_decay=0.01),
    ]


def pace(step: int, steps: int) -> float:
    """The share of the full learning rate at this step: the last 40 % falls to nothing."""
    return min((step + 1) / _WARM_UP, (steps - step) / (0.4 * steps), 1.0)


def _tried(made: StableDiffusionPipeline) -> str:
    """How many of some unseen captions are drawn right."""
    unseen = dataset.make(50, seed=1, held_back=True)
    said = [captions.full(scene, default_rng(number)) for number, scene in enumerate(unseen.scenes)]
    images = pipeline.draw(made, said, seed=0)
    return str(score.mean(unseen.scenes, [judge.read(image) for image in images]))


if __name__ == "__main__":
    main()
