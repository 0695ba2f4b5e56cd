"""Evaluation questions about images, and checks of the answers."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tiny_scenes import shapes
from tiny_sight.caption import NUMBERS
from tiny_sight.views import DIGITS, SHADES, Thing, View

_SAME = {"center": "centre", "gray": "grey", "crosses": "cross", "color": "colour"}


@dataclass(frozen=True, slots=True)
class Question:
    """A question; `right` checks an answer."""

    sort: str
    text: str
    #: The same question in a wording that is not in the lessons.
    reworded: str
    right: Callable[[str], bool]


def of(view: View) -> Iterator[Question]:
    """Generate all questions about a view."""
    has_digits = any(thing.kind in DIGITS for thing in view.things)
    yield Question(
        "describe digits" if has_digits else "describe",
        "What is in this picture?",
        "Tell me what this image contains.",
        lambda said: described(view, said),
    )
    colours = [view.background, *(thing.colour for thing in view.things)]
    yield Question(
        "background",
        "What colour is the background?",
        "Name the colour of the background.",
        lambda said: view.background in _plain(said),
    )
    if has_digits:
        yield from _of_digits(view)
        return
    number = len(view.things)
    yield Question(
        "number",
        "How many shapes are there?",
        "Tell me the number of shapes.",
        lambda said: _first(said, NUMBERS) == NUMBERS[number],
    )
    kinds = [thing.kind for thing in view.things]
    for thing in view.things:
        if kinds.count(thing.kind) == 1:
            yield from _of_one(thing, colours)
    for kind in shapes.NAMES:
        answer = "yes" if kind in kinds else "no"
        yield Question(
            answer,
            f"Is there a {kind}? Answer yes or no.",
            f"Can a {kind} be seen here, yes or no?",
            lambda said, answer=answer: _first(said, ("yes", "no")) == answer,
        )


def _of_digits(view: View) -> Iterator[Question]:
    if len(view.things) == 1:
        digit = view.things[0].kind
        yield Question(
            "digit",
            "Which digit is it?",
            "Read the digit that is written here.",
            lambda said: re.findall(r"\d", said)[:1] == [digit],
        )


def _of_one(thing: Thing, colours: list[str]) -> Iterator[Question]:
    yield Question(
        "colour",
        f"What colour is the {thing.kind}?",
        f"Tell me the colour of the {thing.kind}.",
        lambda said: _only(said, thing.colour, colours),
    )
    yield Question(
        "place",
        f"Where is the {thing.kind}?",
        f"At which place is the {thing.kind}?",
        lambda said: {thing.row, thing.column} <= _words(said),
    )


def described(view: View, said: str) -> bool:
    """Whether the answer names every object with its colour, and nothing else."""
    words = _words(said)
    named = {
        word.removesuffix("s") if word.removesuffix("s") in shapes.NAMES else word for word in words
    }
    kinds = {thing.kind for thing in view.things}
    colours = {thing.colour for thing in view.things}
    others = {*shapes.NAMES, *DIGITS} - kinds
    wrong = ({*SHADES} - colours - {*view.background.split()}) | (others - {str(len(view.things))})
    return kinds | colours <= named and not named & wrong


def _only(said: str, colour: str, among: list[str]) -> bool:
    words = _words(said)
    return colour in words and not words & ({*among} - {colour})


def _first(said: str, options: tuple[str, ...]) -> str | None:
    """Return the first option in the answer, as a word or as a digit."""
    for word in re.findall(r"\w+", _plain(said)):
        word = NUMBERS[int(word)] if word.isdigit() and int(word) < len(NUMBERS) else word
        if word in options:
            return word
    return None


def _words(said: str) -> set[str]:
    return {*re.findall(r"\w+", _plain(said))}


def _plain(said: str) -> str:
    said = said.lower()
    for other, word in _SAME.items():
        said = said.replace(other, word)
    return said
