"""Scenes: contents, layout and drawing. All randomness comes from a seed."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from tiny_scenes import shapes

Image = NDArray[np.uint8]
Option = TypeVar("Option")
Kind = Literal["one", "pair", "several"]
Size = Literal["small", "medium", "large"]

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (220, 40, 40),
    "orange": (245, 140, 30),
    "yellow": (250, 220, 50),
    "green": (40, 160, 70),
    "blue": (45, 85, 215),
    "purple": (140, 60, 180),
    "white": (250, 250, 250),
    "black": (15, 15, 15),
}
BACKGROUNDS: dict[str, tuple[int, int, int]] = {
    "white": (250, 250, 250),
    "black": (15, 15, 15),
    "grey": (150, 150, 150),
    "pink": (245, 160, 185),
    "light blue": (150, 205, 240),
    "brown": (120, 80, 50),
}
RELATIONS = ("left of", "above")
#: Ranges of radii in pixels.
_RADII: dict[Size, tuple[float, float]] = {
    "small": (7.5, 8.5),
    "medium": (8.5, 10.0),
    "large": (10.5, 11.5),
}
#: Positions of pairs and groups, in pixels.
_LAYOUTS: dict[int, tuple[tuple[tuple[float, float], ...], ...]] = {
    2: (((16, 32), (48, 32)), ((32, 16), (32, 48)), ((17, 17), (47, 47)), ((47, 17), (17, 47))),
    3: (((32, 16), (16, 48), (48, 48)), ((16, 16), (48, 16), (32, 48))),
}
#: One combination in this many is held out for evaluation.
_HELD_BACK = 10


@dataclass(frozen=True, slots=True)
class Thing:
    """A shape; x, y and radius in pixels."""

    shape: str
    colour: str
    size: Size
    x: float
    y: float
    radius: float


@dataclass(frozen=True, slots=True)
class Scene:
    """The contents of an image that captions describe and the judge recognises."""

    kind: Kind
    background: str
    things: tuple[Thing, ...]
    #: Grid cell of a single object.
    cell: int | None = None
    #: Position of a pair's first object relative to the second.
    relation: str | None = None


def sample(random: Generator) -> Scene:
    """Generate a random scene."""
    kind = random.choice(["one", "pair", "several"], p=[0.4, 0.4, 0.2])
    if kind == "one":
        return _one(random)
    return _pair(random) if kind == "pair" else _several(random)


def held_back(scene: Scene) -> bool:
    """Whether the scene's combination is held out, regardless of sizes and background."""
    first = scene.things[0]
    key = f"{first.colour} {first.shape}"
    if scene.kind == "one":
        key += f" in {scene.cell}"
    elif scene.kind == "pair":
        key += f" {scene.relation} {scene.things[1].colour} {scene.things[1].shape}"
    else:
        key += f" times {len(scene.things)}"
    return zlib.crc32(key.encode()) % _HELD_BACK == 0


def draw(scene: Scene, random: Generator) -> Image:
    """Draw the scene as (64, 64, 3) uint8, with slightly varied colours and noise."""
    canvas = np.empty((shapes.SIDE, shapes.SIDE, 3), np.float32)
    canvas[:] = _varied(BACKGROUNDS[scene.background], random)
    for thing in scene.things:
        share = shapes.coverage(thing.shape, thing.x, thing.y, thing.radius)[..., None]
        canvas += share * (_varied(COLOURS[thing.colour], random) - canvas)
    canvas += random.normal(0.0, random.uniform(0.0, 3.0), canvas.shape)
    return np.asarray(np.clip(canvas + 0.5, 0, 255), np.uint8)


def _varied(colour: tuple[int, int, int], random: Generator) -> NDArray[np.float64]:
    return np.asarray(colour + random.uniform(-6.0, 6.0, 3))


def _one(random: Generator) -> Scene:
    background = pick(random, BACKGROUNDS)
    cell = int(random.integers(9))
    spot = (15.5 + 16.5 * (cell % 3), 15.5 + 16.5 * (cell // 3))
    thing = _thing(random, _colour(random, background), spot, jitter=2)
    return Scene("one", background, (thing,), cell=cell)


def _pair(random: Generator) -> Scene:
    background = pick(random, BACKGROUNDS)
    relation = pick(random, RELATIONS)
    colour = _colour(random, background)
    other = _colour(random, background, colour)
    first, second = ((16.0, 32.0), (48.0, 32.0))
    if relation == "above":
        first, second = first[::-1], second[::-1]
    things = (_thing(random, colour, first, jitter=3), _thing(random, other, second, jitter=3))
    return Scene("pair", background, things, relation=relation)


def _several(random: Generator) -> Scene:
    background = pick(random, BACKGROUNDS)
    model = _thing(random, _colour(random, background), (32, 32), jitter=0)
    layouts = _LAYOUTS[int(random.integers(2, 4))]
    spots = layouts[int(random.integers(len(layouts)))]
    things = tuple(_moved(model, spot, random) for spot in spots)
    return Scene("several", background, things)


def _thing(random: Generator, colour: str, spot: tuple[float, float], jitter: float) -> Thing:
    """Generate an object of random shape and size near `spot`, fully inside the image."""
    size = pick(random, _RADII)
    radius = random.uniform(*_RADII[size])
    x, y = _inside(spot + random.uniform(-jitter, jitter, 2), radius)
    return Thing(pick(random, shapes.OUTLINES), colour, size, x, y, radius)


def _moved(thing: Thing, spot: tuple[float, float], random: Generator) -> Thing:
    """Copy an object to another spot."""
    x, y = _inside(spot + random.uniform(-1.0, 1.0, 2), thing.radius)
    return replace(thing, x=x, y=y)


def _inside(spot: NDArray[np.float64], radius: float) -> tuple[float, float]:
    margin = radius * shapes.REACH + 1
    x, y = np.clip(spot, margin, shapes.SIDE - margin)
    return float(x), float(y)


def _colour(random: Generator, *taken: str) -> str:
    return pick(random, [name for name in COLOURS if name not in taken])


def pick(random: Generator, options: Iterable[Option]) -> Option:
    """Choose an option uniformly."""
    known = list(options)
    return known[int(random.integers(len(known)))]
