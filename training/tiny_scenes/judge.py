"""Recognises scenes in images: background, and shape, colour and position of objects."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tiny_scenes import shapes
from tiny_scenes.scenes import BACKGROUNDS, COLOURS, Image

#: Minimum RGB distance of a foreground pixel from the background.
_APART = 45.0
#: Minimum pixels of an object; smaller regions are noise.
_SPECK = 25


@dataclass(frozen=True, slots=True)
class Seen:
    """A recognised object; x, y in pixels, `fit` from 0 to 1."""

    shape: str
    colour: str
    x: float
    y: float
    radius: float
    fit: float

    @property
    def cell(self) -> int:
        """Cell in a 3 x 3 grid, row by row."""
        return int(self.x // (shapes.SIDE / 3)) + 3 * int(self.y // (shapes.SIDE / 3))


@dataclass(frozen=True, slots=True)
class Reading:
    """The recognised scene."""

    background: str
    things: tuple[Seen, ...]


def read(image: Image) -> Reading:
    """Recognise the scene in an image (64, 64, 3)."""
    pixels = image.astype(np.float32)
    ground = _background(pixels)
    mask = np.linalg.norm(pixels - ground, axis=-1) > _APART
    things = [_thing(pixels, ground, part) for part in _parts(mask)]
    return Reading(_nearest(ground, BACKGROUNDS), tuple(things))


def _background(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the most frequent colour of the image's border."""
    rim = np.concatenate([pixels[:2].reshape(-1, 3), pixels[-2:].reshape(-1, 3)])
    rim = np.concatenate([rim, pixels[:, :2].reshape(-1, 3), pixels[:, -2:].reshape(-1, 3)])
    return np.asarray(np.median(rim, axis=0))


def _parts(mask: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Return a mask per connected region."""
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
    """Return the colour of the pixels furthest from the background's, which excludes edges."""
    inside = pixels[part]
    distance = np.linalg.norm(inside - ground, axis=-1)
    return np.asarray(np.median(inside[distance >= np.median(distance)], axis=0))


def _grown(part: NDArray[np.bool_]) -> NDArray[np.bool_]:
    padded = np.pad(part, 1)
    rows = padded[1:-1] | padded[2:] | padded[:-2]
    return np.asarray(rows[:, 1:-1] | rows[:, 2:] | rows[:, :-2])


def _fit(shape: str, share: NDArray[np.floating], x: float, y: float) -> float:
    """Return the IoU of the region and the shape of equal area and position, 0 to 1."""
    radius = float(np.sqrt(share.sum() / shapes.area(shape)))
    ideal = shapes.coverage(shape, x, y, radius)
    return float(np.minimum(ideal, share).sum() / np.maximum(ideal, share).sum())


def _nearest(colour: NDArray[np.float32], names: dict[str, tuple[int, int, int]]) -> str:
    return min(names, key=lambda name: float(np.linalg.norm(colour - np.array(names[name]))))
