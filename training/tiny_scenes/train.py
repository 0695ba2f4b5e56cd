"""Trains `tiny-scenes` from scratch: `python -m tiny_scenes.train FOLDER`.

On one idle server core, the autoencoder takes about 9 minutes, the denoiser about 30.
"""

import argparse
from pathlib import Path

import torch
from diffusers import AutoencoderTiny, StableDiffusionPipeline
from numpy.random import default_rng
from torch import Tensor

from tiny_scenes import autoencoder, captions, dataset, denoiser, judge, pipeline, score, words
from tiny_scenes.denoiser import Denoiser
from tiny_scenes.descent import Descent

_BATCH = 48
_RATE = 1e-3
_REPORT = 50


def main() -> None:
    """Run the command line."""
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
    training = Training(model, latents, drawn, steps=chosen.steps, seed=chosen.seed)
    for step in range(chosen.steps):
        training.step(step)
        if (step + 1) % chosen.checkpoint == 0 or step + 1 == chosen.steps:
            training.checkpoint(vae, chosen.folder)


def _autoencoder(folder: Path, drawn: dataset.Drawn, steps: int) -> AutoencoderTiny:
    """Train the autoencoder, or reuse the one of an earlier run in the folder."""
    if (folder / "config.json").exists():
        return AutoencoderTiny.from_pretrained(folder)
    vae = autoencoder.build()
    autoencoder.train(vae, drawn.images, steps)
    vae.save_pretrained(folder)
    return vae


class Training:
    """The denoiser's training."""

    def __init__(
        self, model: Denoiser, latents: Tensor, drawn: dataset.Drawn, *, steps: int, seed: int
    ) -> None:
        self._model = model
        self._latents = latents
        self._scenes = drawn.scenes
        self._random = default_rng(seed)
        self._descent = Descent(
            model.parameters(), model.tables(), rate=_RATE, steps=steps, report=_REPORT
        )

    def step(self, step: int) -> None:
        """Take one training step; `step` is its index."""
        self._descent.step(self._loss(), step)

    def _loss(self) -> Tensor:
        """Compute the loss of a batch of scenes with new captions."""
        chosen = self._random.integers(len(self._scenes), size=_BATCH)
        said = [captions.loose(self._scenes[number], self._random) for number in chosen]
        return self._model.loss(self._latents[torch.from_numpy(chosen)], said)

    def checkpoint(self, vae: AutoencoderTiny, folder: Path) -> None:
        """Save and evaluate the averaged weights; training continues with the latest ones."""
        with self._descent.averaged():
            made = pipeline.assemble(vae, self._model)
            pipeline.save(made, folder)
            print(_tried(made), flush=True)


def _tried(made: StableDiffusionPipeline) -> str:
    """Return the accuracy on some held-out captions."""
    unseen = dataset.make(50, seed=1, held_back=True)
    said = [captions.full(scene, default_rng(number)) for number, scene in enumerate(unseen.scenes)]
    images = pipeline.draw(made, said, seed=0)
    return str(score.mean(unseen.scenes, [judge.read(image) for image in images]))


if __name__ == "__main__":
    main()
