"""A dataset of scenes, reproducible from a seed."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from tiny_scenes import scenes
from tiny_scenes.scenes import Scene


@dataclass(frozen=True, slots=True)
class Drawn:
    """Scenes and their images, (N, 64, 64, 3) uint8."""

    scenes: tuple[Scene, ...]
    images: NDArray[np.uint8]


def make(count: int, seed: int, *, held_back: bool = False) -> Drawn:
    """Generate scenes for training; with `held_back`, only held-out combinations."""
    random = default_rng(seed)
    stream = _stream(random, held_back)
    chosen = tuple(next(stream) for _ in range(count))
    return Drawn(chosen, np.stack([scenes.draw(scene, random) for scene in chosen]))


def _stream(random: Generator, held_back: bool) -> Iterator[Scene]:
    while True:
        scene = scenes.sample(random)
        if scenes.held_back(scene) is held_back:
            yield scene
