"""Training questions about a view in many wordings, with their answers."""

from collections.abc import Iterator
from dataclasses import dataclass

from numpy.random import Generator

from tiny_scenes import shapes
from tiny_scenes.scenes import pick
from tiny_sight.caption import NUMBERS
from tiny_sight.views import DIGITS, SHADES, Thing, View

_DESCRIBE = (
    "What is in this picture?",
    "Describe this picture.",
    "What do you see?",
    "What does the image show?",
    "What is in this image? Answer in one sentence.",
    "What's in the picture?",
)
_DESCRIBE_BOTH = (
    "What is in these pictures?",
    "Describe both pictures.",
    "What do these images show?",
)
_BACKGROUND = (
    "What colour is the background?",
    "What is the background colour?",
    "Which color does the background have?",
)
_NUMBER = ("How many {} are there?", "How many {} are in the picture?", "Count the {}.")
_COLOUR = (
    "What colour is the {}?",
    "What color is the {}?",
    "Which colour does the {} have?",
    "What is the colour of the {}?",
)
_PLACE = ("Where is the {}?", "In which part of the picture is the {}?", "Where do you see the {}?")
_SIZE = ("How large is the {}?", "What size is the {}?")
_WHICH = ("Which shape is {}?", "What is {}?", "Name the {} shape.")
_DIGIT = ("Which digit is it?", "What digit is shown?", "Which number is this?")
_DIGITS = ("Which digits are there?", "What digits do you see?", "Read the digits.")
_IS_THERE = ("Is there {}?", "Does the picture show {}?", "Do you see {} in the picture?")
_SHORTLY = " Answer yes or no."


@dataclass(frozen=True, slots=True)
class Lesson:
    """A question and the expected answer."""

    question: str
    answer: str


def some(view: View, count: int, random: Generator) -> list[Lesson]:
    """Choose up to `count` lessons about a view, with all sorts equally likely."""
    sorts = [sort for sort in _sorts(view, random) if sort]
    order = [sorts[number] for number in random.permutation(len(sorts))]
    return [pick(random, sort) for sort in order[:count]]


def of_both(first: View, second: View, random: Generator) -> Lesson:
    """Build a lesson about two consecutive images."""
    answer = f"First picture: {_description(first)} Second picture: {_description(second)}"
    return Lesson(pick(random, _DESCRIBE_BOTH), answer)


def _sorts(view: View, random: Generator) -> Iterator[list[Lesson]]:
    said = _wordings
    yield said(_DESCRIBE, "", _description(view))
    yield said(_BACKGROUND, "", f"The background is {view.background}.")
    yield said(_NUMBER, _noun(view), _count(view))
    alone = [thing for thing in view.things if _kinds(view).count(thing.kind) == 1]
    named = [(_name(thing.kind), thing) for thing in alone]
    for wordings, fact in ((_COLOUR, _colour), (_PLACE, _place), (_SIZE, _size)):
        yield [
            lesson
            for name, thing in named
            for lesson in said(wordings, name, f"The {name} is {fact(thing)}.")
        ]
    yield _which(view)
    yield _digits(view)
    for there in (True, False, True, False):
        yield _is_there(view, there, random)


def _which(view: View) -> list[Lesson]:
    colours = [thing.colour for thing in view.things]
    alone = [thing for thing in view.things if colours.count(thing.colour) == 1]
    return [
        lesson
        for thing in alone
        if thing.kind not in DIGITS
        for lesson in _wordings(_WHICH, thing.colour, f"The {thing.kind} is {thing.colour}.")
    ]


def _digits(view: View) -> list[Lesson]:
    kinds = [kind for kind in _kinds(view) if kind in DIGITS]
    if not kinds:
        return []
    if len(view.things) == 1:
        return _wordings(_DIGIT, "", f"It is the digit {kinds[0]}.")
    return _wordings(_DIGITS, "", f"{_listed(kinds)}.")


def _is_there(view: View, there: bool, random: Generator) -> list[Lesson]:
    """Build lessons about the presence or absence of a kind, with or without its colour."""
    pairs = {(thing.kind, thing.colour) for thing in view.things}
    kinds = {thing.kind for thing in view.things}
    among = sorted(kinds) if there else sorted({*shapes.NAMES, *DIGITS} - kinds)
    if any(kind in shapes.NAMES for kind in kinds):
        among = [kind for kind in among if kind in shapes.NAMES]
    things = [_name(kind) for kind in among]
    if random.random() < 0.3:
        some = sorted(pairs) if there else sorted(_changed(pairs, random))
        things = [f"{colour} {_name(kind)}" for kind, colour in some]
    return [
        lesson
        for thing in things
        for asked in _IS_THERE
        for question in [asked.format(_article(thing))]
        for lesson in (
            Lesson(question + _SHORTLY, "Yes" if there else "No"),
            Lesson(question, f"{'Yes' if there else 'No'}, {_there_is(thing, there)}."),
        )
    ]


def _there_is(thing: str, there: bool) -> str:
    return f"there is {_article(thing) if there else f'no {thing}'}"


def _changed(pairs: set[tuple[str, str]], random: Generator) -> set[tuple[str, str]]:
    """Return pairs of a kind in the view and a colour that it does not have."""
    return {(kind, pick(random, [*SHADES])) for kind, _ in pairs} - pairs


def _description(view: View) -> str:
    if not view.things:
        return f"Nothing but a {view.background} background."
    things = _listed(
        [
            f"{_article(f'{thing.size} {thing.colour} {_name(thing.kind)}')}"
            f" at the {thing.row} {thing.column}"
            for thing in view.things
        ]
    )
    return f"{things[0].upper()}{things[1:]}, on a {view.background} background."


def _count(view: View) -> str:
    number, noun = NUMBERS[len(view.things)], _noun(view)
    return f"There is one {noun[:-1]}." if number == "one" else f"There are {number} {noun}."


def _noun(view: View) -> str:
    kinds = {kind in DIGITS for kind in _kinds(view)}
    return "things" if len(kinds) == 2 else "digits" if kinds == {True} else "shapes"


def _kinds(view: View) -> list[str]:
    return [thing.kind for thing in view.things]


def _name(kind: str) -> str:
    return f"digit {kind}" if kind in DIGITS else kind


def _colour(thing: Thing) -> str:
    return thing.colour


def _place(thing: Thing) -> str:
    return f"at the {thing.row} {thing.column}"


def _size(thing: Thing) -> str:
    return thing.size


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _listed(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _wordings(wordings: tuple[str, ...], about: str, answer: str) -> list[Lesson]:
    return [Lesson(wording.format(about), answer) for wording in wordings]
