"""Captions of scenes in a small vocabulary of English."""

from collections.abc import Sequence

from numpy.random import Generator

from tiny_scenes import scenes, shapes
from tiny_scenes.scenes import Scene, Thing, pick

#: Names of the grid's cells, row by row.
PLACES: tuple[tuple[str, ...], ...] = (
    ("in the top left", "in the top left corner", "at the top left", "in the upper left"),
    ("at the top", "at the top centre", "in the top middle"),
    ("in the top right", "in the top right corner", "at the top right", "in the upper right"),
    ("on the left", "at the left", "on the left side"),
    ("in the centre", "in the center", "in the middle"),
    ("on the right", "at the right", "on the right side"),
    ("in the bottom left", "in the bottom left corner", "at the bottom left", "in the lower left"),
    ("at the bottom", "at the bottom centre", "in the bottom middle"),
    (
        "in the bottom right",
        "in the bottom right corner",
        "at the bottom right",
        "in the lower right",
    ),
)
_AS_IS = {"left of": ("left of", "to the left of"), "above": ("above", "over")}
_TURNED = {"left of": ("right of", "to the right of"), "above": ("below", "under")}
_NUMBERS = {2: ("two", "2"), 3: ("three", "3")}
_OPENINGS = ("a picture of", "a drawing of", "an image of", "draw")


def full(scene: Scene, random: Generator) -> str:
    """Build a caption with all positions and the background, and sometimes sizes."""
    return " ".join([_subject(scene, random), _behind(scene, random)])


def loose(scene: Scene, random: Generator) -> str:
    """Build a caption that may omit position and background, or begin with "a picture of"."""
    parts = [_subject(scene, random, place=random.random() < 0.85)]
    if random.random() < 0.1:
        parts.insert(0, pick(random, _OPENINGS))
    if random.random() < 0.85:
        parts.append(_behind(scene, random))
    return " ".join(parts)


def words() -> list[str]:
    """Return the vocabulary of all captions."""
    said = [*_OPENINGS, *sum(PLACES, ()), *scenes.COLOURS, *scenes.BACKGROUNDS, *shapes.NAMES]
    said += [_plural(name) for name in shapes.NAMES]
    said += [*sum((*_AS_IS.values(), *_TURNED.values(), *_NUMBERS.values()), ())]
    said += ["a an one small large and on background gray"]
    return sorted({word for words in said for word in words.split()})


def _subject(scene: Scene, random: Generator, *, place: bool = True) -> str:
    if scene.kind == "several":
        return _group(scene.things, random)
    first = _phrase(scene.things[0], random)
    if scene.kind == "one":
        return f"{first} {pick(random, PLACES[scene.cell or 0])}" if place else first
    second = _phrase(scene.things[1], random)
    if not place:
        return f"{first} and {second}"
    assert scene.relation is not None
    if random.random() < 0.5:
        return f"{first} {pick(random, _AS_IS[scene.relation])} {second}"
    return f"{second} {pick(random, _TURNED[scene.relation])} {first}"


def _phrase(thing: Thing, random: Generator) -> str:
    words = f"{_size(thing, random)}{thing.colour} {thing.shape}"
    article = "an" if words.startswith("o") else "a"
    return f"{'one' if random.random() < 0.05 else article} {words}"


def _group(things: Sequence[Thing], random: Generator) -> str:
    number = pick(random, _NUMBERS[len(things)])
    return f"{number} {_size(things[0], random)}{things[0].colour} {_plural(things[0].shape)}"


def _size(thing: Thing, random: Generator) -> str:
    said = thing.size != "medium" and random.random() < 0.6
    return f"{thing.size} " if said else ""


def _behind(scene: Scene, random: Generator) -> str:
    name = "gray" if scene.background == "grey" and random.random() < 0.3 else scene.background
    return f"on a {name} background" if random.random() < 0.7 else f"on {name}"


def _plural(name: str) -> str:
    return f"{name}es" if name.endswith("s") else f"{name}s"
