"""What the language model reads in place of a picture: a caption in which each word has its place.

A picture becomes `TOKENS` tokens. Each stands for one token of the language model, and its place
says what it is about: so the encoder has one small question to answer for each. Every third of a
third of the picture has its own line, which is blank where nothing is.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from tiny_scenes import shapes
from tiny_sight.views import BEHIND, COLUMNS, DIGITS, LIGHT_BLUE, ROWS, SHADES, Thing, View

#: Tokens of a picture.
TOKENS = 100
#: Tokens that are not spelt as they are named: those that mean something else elsewhere.
SPELT = {"<blank>": "\n", "<present>": " yes", "<absent>": " no"}
SPELT |= {f"<end {number}>": "\n" for number in (1, 2, 3)}
NUMBERS = ("no", "one", "two", "three", "four")
#: Tokens of a line for one cell.
_LINE = 7
#: Where the lines begin, where the number is, and so on.
LINES = range(3, 3 + 9 * _LINE, _LINE)
NUMBER = LINES.stop + 4
BACKGROUND = range(NUMBER + 4, NUMBER + 6)
PRESENCE = range(NUMBER + 9, NUMBER + 9 + 4 * len(shapes.NAMES), 4)


def words(view: View) -> list[str]:
    """The caption's tokens, with the spaces before them."""
    cells = {(thing.row, thing.column): thing for thing in view.things}
    said = ["Picture", ":", "\n"]
    for row in ROWS:
        for column in COLUMNS:
            said += _line(cells.get((row, column)))
    said += ["Number", " of", _noun(view), ":", f" {NUMBERS[len(view.things)]}", "\n"]
    said += ["Background", ":", *_colour(view.background), "\n"]
    for shape in shapes.NAMES:
        there = any(thing.kind == shape for thing in view.things)
        said += [shape, ":", "<present>" if there else "<absent>", "\n"]
    return [*said, "<end 1>", "<end 2>", "<end 3>"]


def vocabulary() -> list[str]:
    """Every token that a caption can have."""
    said = ["Picture", ":", "\n", ",", "Background", "Number", " of", *shapes.NAMES, *SPELT]
    said += [" shapes", " digits", " things", " plain", " light", " small", " medium", " large"]
    lists = (BEHIND, SHADES, shapes.NAMES, ROWS, COLUMNS, NUMBERS)
    said += [f" {word}" for known in lists for word in known if word != LIGHT_BLUE]
    return list(dict.fromkeys([*said, *DIGITS]))


def spelt() -> list[str]:
    """The language model's token for each of the vocabulary."""
    return [SPELT.get(word, word) for word in vocabulary()]


def numbers(shown: Sequence[View]) -> Tensor:
    """Captions as places in the vocabulary, (N, TOKENS)."""
    known = {word: number for number, word in enumerate(vocabulary())}
    return torch.tensor([[known[word] for word in words(view)] for view in shown])


def _noun(view: View) -> str:
    kinds = {thing.kind in DIGITS for thing in view.things}
    return " things" if len(kinds) == 2 else " digits" if kinds == {True} else " shapes"


def _colour(background: str) -> list[str]:
    light = " light" if background == LIGHT_BLUE else " plain"
    return [light, f" {background.removeprefix('light ')}"]


def _line(thing: Thing | None) -> list[str]:
    if thing is None:
        return ["<blank>"] * _LINE
    kind = thing.kind if thing.kind in DIGITS else f" {thing.kind}"
    return [
        f" {thing.size}",
        f" {thing.colour}",
        kind,
        ",",
        f" {thing.row}",
        f" {thing.column}",
        "\n",
    ]
