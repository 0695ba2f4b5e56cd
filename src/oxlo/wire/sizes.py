"""Image sizes: which ones a model supports, and choosing one for a request."""

import re

import msgspec

from oxlo.catalogue import Model
from oxlo.catalogue.parameters import parameters
from oxlo.wire.decode import invalid

_SIZE = re.compile(r"(\d{1,5})\s*[xX]\s*(\d{1,5})")
#: OpenAI's values for the model's own size.
_OWN = ("", "auto")

Size = tuple[int, int]


class Side(msgspec.Struct, frozen=True):
    """The allowed lengths of one side, in pixels."""

    least: int = 8
    most: int = 2048
    step: int = 8

    def nearest(self, wish: int, name: str) -> int:
        """The nearest allowed length. Raises BadRequest outside the range."""
        if not self.least <= wish <= self.most:
            raise invalid(name, f"expected {self.least} to {self.most} pixels, got {wish}.")
        return max(self.least, min(self.most, (wish + self.step // 2) // self.step * self.step))


class Sizes(msgspec.Struct, frozen=True):
    """The sizes that a model supports."""

    #: Default width and height.
    own: Size
    #: If not empty, the only supported sizes; otherwise all that the sides allow.
    only: tuple[Size, ...] = ()
    width: Side = Side()
    height: Side = Side()

    def choose(self, size: str | None, width: int | None, height: int | None) -> Size:
        """The requested size, rounded to the model's grid, or the default. Raises BadRequest."""
        wish = self._wish(size, width, height)
        names = ("size", "size") if _given(size) else ("width", "height")
        if not self.only:
            return self.width.nearest(wish[0], names[0]), self.height.nearest(wish[1], names[1])
        if wish not in self.only:
            known = ", ".join(map(spelt, self.only))
            raise invalid(names[0], f"this model draws {known}, not {spelt(wish)}.")
        return wish

    def like(self, given: Size) -> Size:
        """The size for editing an image: its own if supported, else the closest aspect ratio."""
        if self.only:
            return min(self.only, key=lambda size: abs(size[0] / size[1] - given[0] / given[1]))
        scale = min(1.0, self.width.most / given[0], self.height.most / given[1])
        width, height = (max(1, round(side * scale)) for side in given)
        return (
            self.width.nearest(max(width, self.width.least), "width"),
            self.height.nearest(max(height, self.height.least), "height"),
        )

    def _wish(self, size: str | None, width: int | None, height: int | None) -> Size:
        if _given(size):
            return parse(str(size))
        return width or self.own[0], height or self.own[1]


def _given(size: str | None) -> bool:
    return size is not None and size.strip().lower() not in _OWN


def parse(text: str) -> Size:
    """`1024x768` as numbers. Raises BadRequest."""
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise invalid("size", "expected WIDTHxHEIGHT in pixels, such as 1024x1024.")
    return int(found[1]), int(found[2])


def spelt(size: Size) -> str:
    """The inverse of `parse`."""
    return f"{size[0]}x{size[1]}"


def sizes(model: Model) -> Sizes:
    """The sizes of a model, from its catalogue parameters."""
    known = parameters(model)
    only = tuple(map(parse, known["size"].choices))
    return Sizes(
        own=parse(str(known["size"].default)),
        only=only,
        width=_side(model, "width"),
        height=_side(model, "height"),
    )


def _side(model: Model, name: str) -> Side:
    side = parameters(model)[name]
    return Side(int(side.min or 1), int(side.max or 2048), int(side.step or 1))
