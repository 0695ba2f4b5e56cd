"""Fixed-layout captions that the language model reads in place of an image.

An image becomes `TOKENS` tokens of the language model, and each position has a fixed meaning, so
the encoder answers one small question per token. Each cell of a 3 x 3 grid has its own line, which
is blank if the cell is empty.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from tiny_scenes import shapes
from tiny_sight.views import BEHIND, COLUMNS, DIGITS, LIGHT_BLUE, ROWS, SHADES, Thing, View

#: Tokens per image.
TOKENS = 100
#: Tokens with names other than their text, as the same text has another meaning elsewhere.
SPELT = {"<blank>": "\n", "<present>": " yes", "<absent>": " no"}
SPELT |= {f"<end {number}>": "\n" for number in (1, 2, 3)}
NUMBERS = ("no", "one", "two", "three", "four")
#: Tokens of a cell's line.
_LINE = 7
#: Positions of the lines, the number of objects, etc.
LINES = range(3, 3 + 9 * _LINE, _LINE)
NUMBER = LINES.stop + 4
BACKGROUND = range(NUMBER + 4, NUMBER + 6)
PRESENCE = range(NUMBER + 9, NUMBER + 9 + 4 * len(shapes.NAMES), 4)


def words(view: View) -> list[str]:
    """Return the caption's tokens, with leading spaces."""
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
    """Return all tokens of captions."""
    said = ["Picture", ":", "\n", ",", "Background", "Number", " of", *shapes.NAMES, *SPELT]
    said += [" shapes", " digits", " things", " plain", " light", " small", " medium", " large"]
    lists = (BEHIND, SHADES, shapes.NAMES, ROWS, COLUMNS, NUMBERS)
    said += [f" {word}" for known in lists for word in known if word != LIGHT_BLUE]
    return list(dict.fromkeys([*said, *DIGITS]))


def spelt() -> list[str]:
    """Return the language model's token for each entry of the vocabulary."""
    return [SPELT.get(word, word) for word in vocabulary()]


def numbers(shown: Sequence[View]) -> Tensor:
    """Encode captions as vocabulary indices, (N, TOKENS)."""
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
