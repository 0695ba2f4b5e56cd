"""`tiny-sight`'s captions, questions and files."""

import pytest

pytest.importorskip("numpy")
pytest.importorskip("torch")

from pathlib import Path

import numpy as np
import torch
from numpy.random import default_rng

from oxlo.engines import gguf as heads
from oxlo.weights.sources import SHIPPED
from tiny_sight import (
    caption,
    drawing,
    encoder,
    gguf,
    painting,
    projector,
    quants,
    questions,
    vectors,
    views,
)
from tiny_sight.encoder import Encoder
from tiny_sight.views import Thing, View

RED = Thing("circle", "red", 0.2, 0.2, 0.15)
BLUE = Thing("square", "blue", 0.8, 0.5, 0.1)
VIEW = View("white", (RED, BLUE))


def answers(sort: str, said: str, view: View = VIEW) -> list[bool]:
    """Check an answer against each question of a sort."""
    return [question.right(said) for question in questions.of(view) if question.sort == sort]


def test_a_caption_says_what_is_where() -> None:
    """One line per object, then their number."""
    said = "".join(caption.SPELT.get(word, word) for word in caption.words(VIEW))
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    assert lines[:5] == [
        "Picture:",
        "medium red circle, top left",
        "small blue square, middle right",
        "Number of shapes: two",
        "Background: plain white",
    ]
    assert lines[5:] == ["circle: yes", "square: yes", "triangle: no", "star: no", "cross: no"]


def test_every_view_has_its_caption() -> None:
    """With a fixed length, known words, and each word in its position."""
    random = default_rng(3)
    shown = [views.sample(random) for _ in range(200)]
    numbers = caption.numbers(shown)
    known = caption.vocabulary()
    assert numbers.shape == (200, caption.TOKENS)
    for view, row in zip(shown, numbers.tolist(), strict=True):
        assert known[row[caption.NUMBER]] == f" {caption.NUMBERS[len(view.things)]}"
        assert known[row[caption.BACKGROUND[1]]] == f" {view.background.split()[-1]}"


def test_combinations_are_held_back() -> None:
    """Evaluation views have a held-out combination, and training views have none."""
    random = default_rng(4)
    seen = {_key(thing) for _ in range(300) for thing in views.sample(random).things}
    for _ in range(50):
        unseen = views.sample(random, held_back=True)
        assert not {_key(thing) for thing in unseen.things} <= seen


def _key(thing: Thing) -> tuple[str, str, str, str]:
    return thing.kind, thing.colour, thing.row, thing.column


@pytest.mark.parametrize(
    ("sort", "right", "wrong"),
    [
        ("describe", "A red circle and a blue square.", "A red circle and a green square."),
        ("describe", "Two shapes: a blue square, a red circle", "A red circle."),
        ("background", "It is white.", "It is black."),
        ("number", "There are 2 shapes.", "There are three shapes."),
        ("yes", "Yes.", "No, there is none."),
        ("no", "No", "Yes, there is a star."),
    ],
)
def test_right_and_wrong_answers(sort: str, right: str, wrong: str) -> None:
    """A correct answer is accepted for all questions of its sort, a wrong one for none."""
    assert all(answers(sort, right))
    assert not any(answers(sort, wrong))


def test_answers_about_one_thing() -> None:
    """They must be about the requested object and name no other colour."""
    assert answers("colour", "The circle is red.") == [True, False]
    assert answers("colour", "Red or blue.") == [False, False]
    assert answers("place", "In the middle right of the picture.") == [False, True]


def test_both_ways_of_drawing_agree() -> None:
    """Training and evaluation images have the same colours at the same positions."""
    painted = painting.Painter([]).draw([VIEW], default_rng(5)).pictures[0]
    drawn = np.asarray(drawing.draw(VIEW, painting.SIDE), np.float32) / 255
    there = [(16, 16, 0), (40, 64, 2), (70, 10, 1)]
    for y, x, channel in there:
        assert painted[channel, y, x] == pytest.approx(drawn[y, x, channel], abs=0.35)
        assert drawn[y, x].argmax() == painted[:, y, x].argmax() or drawn[y, x].min() > 0.9


def test_a_projector_is_written_as_it_was_trained(tmp_path: Path) -> None:
    """The file has the metadata, and embeddings survive a round trip."""
    torch.manual_seed(1)
    model = Encoder(len(caption.vocabulary()), encoder.Shape(width=32, layers=3, middle=48))
    width = 64
    rows = np.random.default_rng(6).normal(size=(len(caption.vocabulary()), width))
    projector.write(tmp_path / "p.gguf", model, rows.astype(np.float32))
    head = heads.read(tmp_path / "p.gguf")
    assert heads.is_projector(head)
    assert head["clip.vision.projection_dim"] == width
    assert head["clip.vision.block_count"] == 3


def test_vectors_are_those_of_the_model(tmp_path: Path) -> None:
    """Q8_0 blocks of 32 weights survive a round trip."""
    levels = np.arange(-64, 64, dtype=np.int8).reshape(2, 2, 32)
    blocks = [np.float16(0.5).tobytes() + block.tobytes() for block in levels.reshape(4, 32)]
    path = tmp_path / "model.gguf"
    gguf.write(
        path,
        {"general.architecture": "test", "tokenizer.ggml.tokens": ["\u0120red", "\u010a"]},
        {"token_embd.weight": gguf.Raw(quants.Q8_0, (2, 64), b"".join(blocks))},
    )
    assert np.array_equal(vectors.of(path, ["\n", " red"]), levels.reshape(2, 64)[::-1] * 0.5)
    with pytest.raises(KeyError):
        vectors.of(path, [" green"])


def test_the_shipped_projector_is_what_the_catalogue_names() -> None:
    """It has 100 tokens of the language model's width, and is small."""
    path = SHIPPED / "tiny-sight" / "mmproj-tiny-sight.gguf"
    head = heads.read(path)
    assert heads.is_projector(head)
    assert head["clip.vision.projection_dim"] == 896
    assert (head["clip.vision.image_size"] // head["clip.vision.patch_size"]) ** 2 == caption.TOKENS
    assert path.stat().st_size < 4_000_000
