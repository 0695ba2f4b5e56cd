"""Scores images by comparing the caption's scene with the recognised one."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from tiny_scenes.judge import Reading, Seen
from tiny_scenes.scenes import Scene


@dataclass(frozen=True, slots=True)
class Score:
    """Correctness of an image by criterion, or the shares of correct images."""

    background: float
    #: The number of objects.
    count: float
    #: The colours of all objects without extra ones; likewise the shapes.
    colour: float
    shape: float
    #: The cell of a single object, or the relation of a pair; correct if unspecified.
    place: float
    #: All of these, with each object's colour and shape matched.
    all: float


def mean(scenes: Sequence[Scene], seen: Sequence[Reading]) -> Score:
    """Return the shares of images, as recognised by the judge, that match their scenes."""
    rows = [astuple(of(scene, reading)) for scene, reading in zip(scenes, seen, strict=True)]
    return Score(*(sum(column) / len(rows) for column in zip(*rows, strict=True)))


def of(scene: Scene, seen: Reading) -> Score:
    """Score one image: 1 for correct, 0 for wrong."""
    asked = sorted((thing.colour, thing.shape) for thing in scene.things)
    found = sorted((thing.colour, thing.shape) for thing in seen.things)
    right = {
        "background": scene.background == seen.background,
        "count": len(asked) == len(found),
        "colour": [colour for colour, _ in asked] == [colour for colour, _ in found],
        "shape": sorted(shape for _, shape in asked) == sorted(shape for _, shape in found),
        "place": _placed(scene, seen),
    }
    return Score(**right, all=all(right.values()) and asked == found)


def _placed(scene: Scene, seen: Reading) -> bool:
    if scene.kind == "one":
        return len(seen.things) == 1 and seen.things[0].cell == scene.cell
    if scene.kind == "several":
        return True
    first, second = (_match(thing.colour, seen) for thing in scene.things)
    if first is None or second is None:
        return False
    across, down = second.x - first.x, second.y - first.y
    along, aside = (across, down) if scene.relation == "left of" else (down, across)
    return along > abs(aside)


def _match(colour: str, seen: Reading) -> Seen | None:
    """Find the object by its colour, which is unique within a pair."""
    found = [thing for thing in seen.things if thing.colour == colour]
    return found[0] if len(found) == 1 else None
