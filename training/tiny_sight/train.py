"""Trains `tiny-sight`'s encoder from scratch: `python -m tiny_sight.train FOLDER`.

`python -m tiny_sight.projector` converts the result to a file for llama.cpp.
"""

import argparse
from pathlib import Path

import torch
from numpy.random import default_rng
from torch import Tensor, nn
from torch.nn import functional

from tiny_scenes.descent import Descent
from tiny_sight import caption, digits, score, views
from tiny_sight.encoder import Encoder
from tiny_sight.painting import Painter

_BATCH = 32
_RATE = 2e-3
_REPORT = 100
#: Inverse temperature: factor from the encoder's fits to logits.
_SURE = 4.0
#: Number of held-out views for the evaluation of checkpoints.
_TRIED = 400


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the trained encoder is written")
    parser.add_argument("--steps", type=int, default=5_000)
    parser.add_argument("--checkpoint", type=int, default=500, help="steps between two")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(chosen.seed)
    chosen.folder.mkdir(parents=True, exist_ok=True)
    training = Training(chosen.steps, chosen.seed)
    for step in range(chosen.steps):
        training.step(step)
        if (step + 1) % chosen.checkpoint == 0 or step + 1 == chosen.steps:
            training.checkpoint(chosen.folder)


class Training:
    """The encoder's training, on newly generated images."""

    def __init__(self, steps: int, seed: int) -> None:
        self._model = Encoder(len(caption.vocabulary()))
        self._painter = Painter(digits.fonts())
        self._random = default_rng(seed)
        #: Auxiliary classifier of patches; it speeds up training and is not part of the model.
        self._patchwise = nn.Linear(self._model.shape.width, len(views.KINDS) + 1)
        weights = [*self._model.parameters(), *self._patchwise.parameters()]
        tables = [self._model.places, self._model.fit.weight, self._patchwise.weight]
        self._descent = Descent(weights, tables, rate=_RATE, steps=steps, report=_REPORT)

    def step(self, step: int) -> None:
        """Take one training step; `step` is its index."""
        self._descent.step(self._loss(), step)

    def _loss(self) -> Tensor:
        shown = [views.sample(self._random) for _ in range(_BATCH)]
        drawn = self._painter.draw(shown, self._random)
        with torch.autocast("cpu", torch.bfloat16):
            tokens = self._model.encode_patches(drawn.pictures)
            kinds = self._patchwise(tokens)
            fits = self._model.write_caption(tokens)
        beheld = functional.cross_entropy(kinds.float().flatten(0, 1), drawn.kinds.flatten())
        return loss(fits.float(), caption.numbers(shown)) + beheld

    @torch.no_grad()
    def checkpoint(self, folder: Path) -> None:
        """Save and evaluate the averaged weights; training continues with the latest ones."""
        random = default_rng(1)
        unseen = [views.sample(random, held_back=True) for _ in range(_TRIED)]
        with self._descent.averaged():
            torch.save(self._model.state_dict(), folder / "encoder.pt")
            read = self._model(self._painter.draw(unseen, random).pictures).argmax(-1)
        print(score.of(read, caption.numbers(unseen)), flush=True)


def loss(fits: Tensor, said: Tensor) -> Tensor:
    """Compute the loss of fits (N, tokens, words) against tokens (N, tokens).

    Their GELU is the projector's hidden layer. It should be one for the right word and zero for all
    others, so that the projector's output is that word's embedding.
    """
    wrong = functional.cross_entropy(_SURE * fits.flatten(0, 1), said.flatten())
    wanted = functional.one_hot(said, fits.shape[-1])
    off = functional.gelu(fits, approximate="tanh") - wanted
    return wrong + off.square().sum(-1).mean()


if __name__ == "__main__":
    main()
