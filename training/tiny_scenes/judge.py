"""Reads a picture: its background, and the shape, colour and place of each thing in it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tiny_scenes import shapes
from tiny_scenes.scenes import BACKGROUNDS, COLOURS, Image

#: Distance in RGB from which a pixel is not background.
_APART = 45.0
#: Pixels that a thing has at least; fewer are specks.
_SPECK = 25


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing as read from the pixels; x, y in pixels, `fit` from 0 to 1."""

    shape: str
    colour: str
    x: float
    y: float
    radius: float
    fit: float

    @property
    def cell(self) -> int:
        """Its cell in a 3 x 3 grid, row by row."""
        return int(self.x // (shapes.SIDE / 3)) + 3 * int(self.y // (shapes.SIDE / 3))


@dataclass(frozen=True, slots=True)
class Reading:
    """A whole picture."""

    background: str
    things: tuple[Seen, ...]


def read(image: Image) -> Reading:
    """What is in a (64, 64, 3) picture."""
    pixels = image.astype(np.float32)
    ground = _background(pixels)
    mask = np.linalg.norm(pixels - ground, axis=-1) > _APART
    things = [_thing(pixels, ground, part) for part in _parts(mask)]
    return Reading(_nearest(ground, BACKGROUNDS), tuple(things))


def _background(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """The colour that most of the picture's rim has."""
    rim = np.concatenate([pixels[:2].reshape(-1, 3), pixels[-2:].reshape(-1, 3)])
    rim = np.concatenate([rim, pixels[:, :2].reshape(-1, 3), pixels[:, -2:].reshape(-1, 3)])
    return np.asarray(np.median(rim, axis=0))


def _parts(mask: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Connected regions, each as a mask of its own."""
    labels = np.where(mask, np.arange(1, mask.size + 1).reshape(mask.shape), 0)
    while True:
        padded = np.pad(labels, 1)
        around = [padded[1:-1, 2:], padded[1:-1, :-2], padded[2:, 1:-1], padded[:-2, 1:-1]]
        spread = np.where(mask, np.maximum.reduce([labels, *around]), 0)
        if np.array_equal(spread, labels):
            break
        labels = spread
    names, sizes = np.unique(labels[mask], return_counts=True)
    return [labels == name for name, size in zip(names, sizes, strict=True) if size >= _SPECK]


def _thing(
    pixels: NDArray[np.float32], ground: NDArray[np.float32], part: NDArray[np.bool_]
) -> Seen:
    colour = _inner(pixels, ground, part)
    line = colour - ground
    share = np.clip((pixels - ground) @ line / (line @ line), 0.0, 1.0) * _grown(part)
    y, x = (np.average(np.arange(64) + 0.5, weights=share.sum(axis)) for axis in (1, 0))
    fits = {shape: _fit(shape, share, x, y) for shape in shapes.NAMES}
    best = max(fits, key=lambda shape: fits[shape])
    radius = float(np.sqrt(share.sum() / shapes.area(best)))
    return Seen(best, _nearest(colour, COLOURS), float(x), float(y), radius, fits[best])


def _inner(
    pixels: NDArray[np.float32], ground: NDArray[np.float32], part: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """The colour of those pixels that are furthest from the background's: not the edges."""
    inside = pixels[part]
    distance = np.linalg.norm(inside - ground, axis=-1)
    return np.asarray(np.median(inside[distance >= np.median(distance)], axis=0))


def _grown(part: NDArray[np.bool_]) -> NDArray[np.bool_]:
    padded = np.pad(part, 1)
    rows = padded[1:-1] | padded[2:] | padded[:-2]
    return np.asarray(rows[:, 1:-1] | rows[:, 2:] | rows[:, :-2])


def _fit(shape: str, share: NDArray[np.floating], x: float, y: float) -> float:
    """Overlap of the seen region with the shape of the same area at the same place, 0 to 1."""
    radius = float(np.sqrt(share.sum() / shapes.area(shape)))
    ideal = shapes.coverage(shape, x, y, radius)
    return float(np.minimum(ideal, share).sum() / np.maximum(ideal, share).sum())


def _nearest(colour: NDArray[np.float32], names: dict[str, tuple[int, int, int]]) -> str:
    return min(names, key=lambda name: float(np.linalg.norm(colour - np.array(names[name]))))
