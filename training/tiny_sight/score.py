"""Evaluates an encoder's captions: `python -m tiny_sight.score ENCODER`.

The images are drawn with Pillow and have held-out combinations.
"""

import argparse
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.random import default_rng
from torch import Tensor
from torch.nn import functional

from tiny_scenes.scenes import pick
from tiny_sight import caption, drawing, views
from tiny_sight.encoder import Encoder
from tiny_sight.painting import SIDE

#: Seed of the views, different from training.
_SEED = 2027


@dataclass(frozen=True, slots=True)
class Score:
    """Shares of images in which all tokens of a sort are correct."""

    number: float
    background: float
    presence: float
    size: float
    colour: float
    kind: float
    #: All tokens, and the positions.
    all: float


def of(read: Tensor, said: Tensor) -> Score:
    """Score predicted against expected tokens, both (N, tokens)."""
    right = read == said

    def share(places: list[int]) -> float:
        return round(right[:, places].all(1).float().mean().item(), 3)

    return Score(
        number=share([caption.NUMBER]),
        background=share(list(caption.BACKGROUND)),
        presence=share(list(caption.PRESENCE)),
        size=share(list(caption.LINES)),
        colour=share([start + 1 for start in caption.LINES]),
        kind=share([start + 2 for start in caption.LINES]),
        all=share(list(range(caption.TOKENS))),
    )


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("encoder", type=Path, help="encoder.pt of a trained folder")
    parser.add_argument("--pictures", type=int, default=1_000)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    model = Encoder(len(caption.vocabulary()))
    model.load_state_dict(torch.load(chosen.encoder, weights_only=True))
    random = default_rng(_SEED)
    unseen = [views.sample(random, held_back=True) for _ in range(chosen.pictures)]
    pictures = torch.stack([_scaled(view, pick(random, drawing.SIDES)) for view in unseen])
    with torch.no_grad():
        read = torch.cat([model(some).argmax(-1) for some in pictures.split(100)])
    for name, share in asdict(of(read, caption.numbers(unseen))).items():
        print(f"{name:10} {share:.3f}")


def _scaled(view: views.View, side: int) -> Tensor:
    """Scale an image to the encoder's input, (3, SIDE, SIDE)."""
    pixels = np.array(drawing.draw(view, side), np.float32) / 255
    whole = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    return functional.interpolate(whole, (SIDE, SIDE), mode="bilinear")[0]


if __name__ == "__main__":
    main()
