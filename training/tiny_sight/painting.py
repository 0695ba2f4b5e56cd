"""Batched rendering of views with augmentation: scaling, blur, padding and compression."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image as Pictures
from torch import Tensor
from torch.nn import functional

from tiny_scenes import shapes
from tiny_scenes.scenes import pick
from tiny_sight import digits
from tiny_sight.views import BEHIND, DIGITS, KINDS, MOST, SHADES, Thing, View

#: Side in pixels of the encoder's input.
SIDE = 80
#: Side of a patch in pixels.
PATCH = 8
#: Minimum share of a patch that an object covers to be labelled.
_LABELLED = 0.03
#: llama.cpp's padding colour for images that are not square.
FRAME = (122 / 255, 116 / 255, 104 / 255)
#: A stencil's side, and the object's radius on it, in pixels.
_STENCIL = shapes.SIDE
_RADIUS = 16.0


@dataclass(frozen=True, slots=True)
class Drawn:
    """Images (N, 3, SIDE, SIDE) in 0..1, and the labels of their patches (N, patches)."""

    pictures: Tensor
    #: Indices into KINDS; `len(KINDS)` for background.
    kinds: Tensor


class Painter:
    """Renders with stencils, the signed distance fields of all kinds of objects."""

    def __init__(self, fonts: Sequence[str]) -> None:
        """Prepare the stencils; digits need at least one font."""
        self._stencils: dict[str, Tensor] = {}
        for name in shapes.NAMES:
            field = shapes.distance(name, _STENCIL / 2, _STENCIL / 2, _RADIUS)
            self._stencils[name] = torch.from_numpy(np.asarray(field, np.float32))[None]
        for name in DIGITS if fonts else ():
            fields = [digits.distance(name, font, _STENCIL, _RADIUS) for font in fonts]
            self._stencils[name] = torch.from_numpy(np.stack(fields))

    def draw(self, shown: Sequence[View], random: Generator) -> Drawn:
        """Render views, each with random augmentation."""
        frames = [_frame(random) for _ in shown]
        canvas = torch.tensor(np.stack([_shade(BEHIND[view.background], random) for view in shown]))
        canvas = canvas[:, :, None, None].repeat(1, 1, SIDE, SIDE)
        kinds = torch.full((len(shown), (SIDE // PATCH) ** 2), len(KINDS))
        for place in range(MOST):
            chosen = [number for number, view in enumerate(shown) if len(view.things) > place]
            if not chosen:
                break
            things = [shown[number].things[place] for number in chosen]
            coverage = self._coverage(things, [frames[number] for number in chosen], random)
            colours = np.stack([_shade(SHADES[thing.colour], random) for thing in things])
            canvas[chosen] += coverage * (torch.tensor(colours)[:, :, None, None] - canvas[chosen])
            there = functional.avg_pool2d(coverage, PATCH).flatten(1) > _LABELLED
            names = torch.tensor([KINDS.index(thing.kind) for thing in things])
            kinds[chosen] = torch.where(there, names[:, None], kinds[chosen])
        return Drawn(_degraded(_padded(canvas, frames), random), kinds)

    def _coverage(
        self, things: Sequence[Thing], frames: Sequence[tuple[float, float]], random: Generator
    ) -> Tensor:
        """Return the objects' coverage of each pixel, (N, 1, SIDE, SIDE)."""
        stencils = torch.stack([self._stencil(thing.kind, random) for thing in things])[:, None]
        transforms, scales = [], []
        for thing, (wide, high) in zip(things, frames, strict=True):
            radius = thing.radius * SIDE * min(wide, high)
            x = (thing.x - 0.5) * wide * SIDE
            y = (thing.y - 0.5) * high * SIDE
            transforms.append(_transform(thing.kind, x, y, radius, random))
            scales.append(radius / _RADIUS)
        grid = functional.affine_grid(
            torch.tensor(np.stack(transforms)), [len(things), 1, SIDE, SIDE], align_corners=False
        )
        away = functional.grid_sample(stencils, grid, padding_mode="border", align_corners=False)
        away *= torch.tensor(scales, dtype=torch.float32)[:, None, None, None]
        sharp = torch.tensor(np.exp(random.uniform(-0.9, 1.6, len(things))), dtype=torch.float32)
        return (0.5 - away * sharp[:, None, None, None]).clamp(0, 1)

    def _stencil(self, kind: str, random: Generator) -> Tensor:
        known = self._stencils[kind]
        return known[int(random.integers(len(known)))]


def _transform(
    kind: str, x: float, y: float, radius: float, random: Generator
) -> NDArray[np.float32]:
    """Return the affine map from image to stencil coordinates, both in -1..1."""
    turned = math.radians(random.normal(0, 4))
    if kind in shapes.NAMES and random.random() < 0.4:
        turned = math.radians(random.uniform(-45, 45))
    stretch = math.exp(random.normal(0, 0.06))
    zoom = SIDE / _STENCIL * _RADIUS / radius
    across, down = zoom * stretch, zoom / stretch
    cos, sin = math.cos(turned), math.sin(turned)
    matrix = np.array([[across * cos, across * sin], [-down * sin, down * cos]])
    moved = -matrix @ np.array([x, y]) * 2 / SIDE
    return np.concatenate([matrix, moved[:, None]], 1).astype(np.float32)


def _frame(random: Generator) -> tuple[float, float]:
    """Return the shares of width and height that a random aspect ratio leaves after padding."""
    if random.random() < 0.8:
        return 1.0, 1.0
    part = float(random.uniform(0.55, 1.0))
    return (1.0, part) if random.random() < 0.7 else (part, 1.0)


def _padded(canvas: Tensor, frames: Sequence[tuple[float, float]]) -> Tensor:
    middle = (torch.arange(SIDE) + 0.5 - SIDE / 2).abs()
    wide, high = (torch.tensor(sides)[:, None] * SIDE / 2 for sides in zip(*frames, strict=True))
    inside = (middle < high)[:, None, :, None] & (middle < wide)[:, None, None, :]
    return torch.where(inside, canvas, torch.tensor(FRAME)[:, None, None])


def _degraded(canvas: Tensor, random: Generator) -> Tensor:
    """Add noise, and JPEG artifacts to some images."""
    strength = torch.tensor(random.exponential(0.012, len(canvas)), dtype=torch.float32)
    canvas += torch.randn_like(canvas) * strength[:, None, None, None]
    for number in np.flatnonzero(random.random(len(canvas)) < 0.15):
        canvas[number] = _compressed(canvas[number], int(random.integers(50, 95)))
    return (canvas.clamp(0, 1) * 255).round() / 255


def _compressed(picture: Tensor, quality: int) -> Tensor:
    pixels = (picture.clamp(0, 1) * 255).byte().permute(1, 2, 0).numpy()
    stream = io.BytesIO()
    Pictures.fromarray(pixels).save(stream, "JPEG", quality=quality)
    return torch.from_numpy(np.array(Pictures.open(stream))).permute(2, 0, 1).float() / 255


def _shade(known: Sequence[tuple[int, int, int]], random: Generator) -> NDArray[np.float32]:
    """Choose a random colour between two shades, with small deviations."""
    one, other = (np.array(pick(random, known)) for _ in range(2))
    between = one + random.uniform(0, 1) * (other - one) + random.normal(0, 4, 3)
    return np.asarray(np.clip(between, 0, 255) / 255, np.float32)
