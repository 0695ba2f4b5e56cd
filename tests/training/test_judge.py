"""The judge's accuracy on drawn scenes, and its scores for wrong captions."""

import pytest

pytest.importorskip("numpy")

from dataclasses import dataclass

from numpy.random import default_rng

from tiny_scenes import dataset, judge, scenes, score, shapes
from tiny_scenes.judge import Reading
from tiny_scenes.scenes import Scene, Thing


@dataclass(frozen=True)
class Read:
    """Drawn scenes, and the scenes recognised by the judge."""

    scenes: tuple[Scene, ...]
    seen: list[Reading]


@pytest.fixture(scope="module")
def read() -> Read:
    """Two hundred scenes, drawn and recognised."""
    drawn = dataset.make(200, 11)
    return Read(drawn.scenes, [judge.read(image) for image in drawn.images])


def test_judge_reads_drawn_scenes(read: Read) -> None:
    """At least 99 % is correct by each criterion, despite antialiasing, noise and shades."""
    right = score.mean(read.scenes, read.seen)
    assert min(right.background, right.count, right.colour, right.shape, right.place) >= 0.99
    assert right.all >= 0.99


def test_judge_is_not_taken_in(read: Read) -> None:
    """Images of other captions are correct only by chance."""
    right = score.mean(read.scenes, [read.seen[-1], *read.seen[:-1]])
    assert right.all <= 0.01
    assert max(right.colour, right.shape) <= 0.15
    assert right.place <= 0.4  # captions of equal objects have no position


@pytest.mark.parametrize("shape", shapes.NAMES)
def test_smallest_shapes(shape: str) -> None:
    """The smallest size of each shape is recognised on every background."""
    random = default_rng(12)
    for background in scenes.BACKGROUNDS:
        thing = Thing(shape, "purple", "small", 20.0, 40.0, 6.0)
        (seen,) = judge.read(scenes.draw(Scene("one", background, (thing,)), random)).things
        assert (seen.shape, seen.colour, seen.cell) == (shape, "purple", 3)


def test_empty_picture() -> None:
    """An empty image has no objects."""
    assert judge.read(scenes.draw(Scene("one", "grey", ()), default_rng(1))).things == ()


def test_swapped_places_are_wrong() -> None:
    """A swapped pair has correct colours and shapes, but wrong positions."""
    left = Thing("star", "red", "medium", 15.0, 32.0, 8.0)
    right = Thing("circle", "blue", "medium", 49.0, 32.0, 8.0)
    asked = Scene("pair", "white", (left, right), relation="left of")
    made = Scene("pair", "white", (Thing("star", "red", "medium", 49.0, 32.0, 8.0),
                                   Thing("circle", "blue", "medium", 15.0, 32.0, 8.0)))  # fmt: skip
    verdict = score.of(asked, judge.read(scenes.draw(made, default_rng(2))))
    assert (verdict.colour, verdict.shape, verdict.place, verdict.all) == (1, 1, 0, 0)
