"""Random views: the contents of images, and the held-out combinations."""

import math
import zlib
from dataclasses import dataclass
from typing import Literal

from numpy.random import Generator

from tiny_scenes import shapes
from tiny_scenes.scenes import pick

Size = Literal["small", "medium", "large"]
DIGITS = tuple("0123456789")
#: Kinds of objects, by name.
KINDS = (*shapes.NAMES, *DIGITS)
#: Maximum number of objects per image.
MOST = 4

#: Shades of each named colour; drawn colours are interpolated between them.
SHADES: dict[str, tuple[tuple[int, int, int], ...]] = {
    "red": ((220, 40, 40), (255, 0, 0), (200, 20, 30)),
    "orange": ((245, 140, 30), (255, 165, 0), (250, 120, 10)),
    "yellow": ((250, 220, 50), (255, 255, 0), (245, 230, 80)),
    "green": ((40, 160, 70), (0, 128, 0), (0, 220, 0), (50, 180, 50)),
    "blue": ((45, 85, 215), (0, 0, 255), (30, 60, 180), (60, 110, 230)),
    "purple": ((140, 60, 180), (128, 0, 128), (150, 40, 200)),
    "pink": ((245, 160, 185), (255, 192, 203), (255, 130, 180)),
    "brown": ((120, 80, 50), (139, 69, 19), (100, 60, 30)),
    "grey": ((150, 150, 150), (128, 128, 128), (170, 170, 170), (105, 105, 105)),
    "white": ((250, 250, 250), (255, 255, 255), (240, 240, 240)),
    "black": ((15, 15, 15), (0, 0, 0), (30, 30, 30)),
}
LIGHT_BLUE = "light blue"
#: Colours of backgrounds, which include light blue.
BEHIND = {**SHADES, LIGHT_BLUE: ((150, 205, 240), (173, 216, 230), (160, 215, 250))}
#: Numbers of objects, with probabilities.
_NUMBERS = (0, 1, 2, 3, 4)
_LIKELY = (0.04, 0.32, 0.28, 0.2, 0.16)
#: Bounds of small, medium and large radii, relative to the image's side.
_SMALL, _LARGE = 0.133, 0.16
_RADII = {1: (0.08, 0.36), 2: (0.08, 0.22), 3: (0.08, 0.19), 4: (0.08, 0.165)}
#: Margin around bounds that is left empty, because labels would be ambiguous.
_DOUBT, _DOUBTFUL_PLACE = 0.004, 0.035
#: Digits have thin strokes: small ones are illegible at 64 x 64.
_LEGIBLE = 0.12
_HELD_BACK = 10
ROWS, COLUMNS = ("top", "middle", "bottom"), ("left", "centre", "right")


@dataclass(frozen=True, slots=True)
class Thing:
    """A shape or digit; x, y and radius are relative to the image's side."""

    kind: str
    colour: str
    x: float
    y: float
    radius: float

    @property
    def size(self) -> Size:
        """Size by radius: small, medium or large."""
        if self.radius < _SMALL:
            return "small"
        return "large" if self.radius > _LARGE else "medium"

    @property
    def row(self) -> str:
        """Row of the 3 x 3 grid, from the top."""
        return ROWS[min(int(self.y * 3), 2)]

    @property
    def column(self) -> str:
        """Column of the 3 x 3 grid, from the left."""
        return COLUMNS[min(int(self.x * 3), 2)]


@dataclass(frozen=True, slots=True)
class View:
    """An image's background, and its objects in reading order."""

    background: str
    things: tuple[Thing, ...]


def sample(random: Generator, *, held_back: bool = False) -> View:
    """Generate a view for training; with `held_back`, one with a held-out combination."""
    while True:
        view = _any(random)
        if any(map(_kept, view.things)) is held_back:
            return view


def _kept(thing: Thing) -> bool:
    key = f"{thing.colour} {thing.kind} in {thing.row} {thing.column}"
    return zlib.crc32(key.encode()) % _HELD_BACK == 0


def _any(random: Generator) -> View:
    background = _background(random)
    number = int(random.choice(_NUMBERS, p=_LIKELY))
    kinds = DIGITS if random.random() < 0.3 else KINDS if random.random() < 0.15 else shapes.NAMES
    things: list[Thing] = []
    alike = (
        _thing(random, background, kinds, number) if number > 1 and random.random() < 0.2 else None
    )
    while len(things) < number:
        thing = _thing(random, background, kinds, number, alike)
        if all(_apart(thing, other) for other in things):
            things.append(thing)
        else:
            things.clear()
    return View(background, tuple(sorted(things, key=_reading_order)))


def _background(random: Generator) -> str:
    return "white" if random.random() < 0.3 else pick(random, BEHIND)


def _thing(
    random: Generator,
    background: str,
    kinds: tuple[str, ...],
    number: int,
    alike: Thing | None = None,
) -> Thing:
    kind = alike.kind if alike else pick(random, kinds)
    colour = alike.colour if alike else pick(random, [one for one in SHADES if one != background])
    low, high = _RADII[number]
    if kind in DIGITS:
        low = _LEGIBLE
    while True:
        radius = low * math.exp(random.random() * math.log(high / low))
        if min(abs(radius - _SMALL), abs(radius - _LARGE)) > _DOUBT:
            break
    return Thing(kind, colour, _place(random, radius), _place(random, radius), radius)


def _place(random: Generator, radius: float) -> float:
    margin = min(radius * shapes.REACH, 0.48)
    while True:
        at = float(random.uniform(margin, 1 - margin))
        if min(abs(at - 1 / 3), abs(at - 2 / 3)) > _DOUBTFUL_PLACE:
            return at


def _apart(one: Thing, other: Thing) -> bool:
    if (one.row, one.column) == (other.row, other.column):
        return False
    return math.hypot(one.x - other.x, one.y - other.y) > 1.15 * (one.radius + other.radius) + 0.02


def _reading_order(thing: Thing) -> tuple[int, float]:
    return ROWS.index(thing.row), thing.x
