"""Captions match their scenes and drawings."""

import pytest

pytest.importorskip("numpy")

from numpy.random import default_rng

from tiny_scenes import captions, dataset, judge, scenes
from tiny_scenes.scenes import Scene


def sampled(count: int, kind: str) -> list[Scene]:
    """Sample scenes of a kind."""
    random = default_rng(5)
    found = [scenes.sample(random) for _ in range(6 * count)]
    return [scene for scene in found if scene.kind == kind][:count]


def test_same_seed_same_scenes() -> None:
    """Scenes are reproducible from a seed."""
    first, again, other = dataset.make(8, 3), dataset.make(8, 3), dataset.make(8, 4)
    assert first.scenes == again.scenes != other.scenes
    assert first.images.tobytes() == again.images.tobytes()


def test_training_never_sees_what_is_held_back() -> None:
    """Training and evaluation are disjoint and together cover all scenes."""
    assert not any(map(scenes.held_back, dataset.make(100, 1).scenes))
    assert all(map(scenes.held_back, dataset.make(20, 1, held_back=True).scenes))


@pytest.mark.parametrize("kind", ["one", "pair", "several"])
def test_captions_agree_with_pixels(kind: str) -> None:
    """The judge recognises every colour, shape and background of the caption."""
    random = default_rng(6)
    for scene in sampled(15, kind):
        said, seen = captions.full(scene, random), judge.read(scenes.draw(scene, random))
        assert all(thing.colour in said and thing.shape in said for thing in seen.things), said
        assert seen.background in said.replace("gray", "grey")


def test_cells_are_where_they_are_said() -> None:
    """The caption's position is that in the image."""
    random = default_rng(7)
    for scene in sampled(40, "one"):
        (thing,) = judge.read(scenes.draw(scene, random)).things
        said = captions.full(scene, random)
        assert any(place in said for place in captions.PLACES[thing.cell]), said


def test_relations_are_as_they_are_said() -> None:
    """In either order and with every wording."""
    random = default_rng(8)
    for scene in sampled(40, "pair"):
        things = {thing.colour: thing for thing in judge.read(scenes.draw(scene, random)).things}
        said = captions.full(scene, random).split(" on ")[0]
        first, second = sorted(things, key=said.index)
        dx, dy = (things[second].x - things[first].x, things[second].y - things[first].y)
        across = "left" in said or "right" in said
        ahead = any(word in said for word in ("left", "above", "over"))
        assert ((dx if across else dy) > 10) is ahead, said


def test_numbers_are_as_they_are_said() -> None:
    """The caption's number is that of objects in the image."""
    random = default_rng(9)
    for scene in sampled(20, "several"):
        seen = judge.read(scenes.draw(scene, random))
        words = {2: {"two", "2"}, 3: {"three", "3"}}[len(seen.things)]
        assert words & set(captions.full(scene, random).split())


def test_every_word_is_known() -> None:
    """Captions only contain words of the vocabulary."""
    random, known = default_rng(10), set(captions.words())
    said = [captions.loose(scenes.sample(random), random) for _ in range(500)]
    assert {word for text in said for word in text.split()} - known == set()
