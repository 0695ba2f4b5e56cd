"""What of the catalogue this machine can serve, and what the rest is missing: pure."""

import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import groupby

from oxlo.catalogue import Model, Variant
from oxlo.cli.showing import size
from oxlo.fleet.assign import on_its_own
from oxlo.hardware.sizing import Machine
from oxlo.weights import Stock, WeightsError

_WRAP = textwrap.TextWrapper(
    100, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
)


class Lack(IntEnum):
    """What a model is missing, the easiest thing first."""

    NOTHING = 0
    WEIGHTS = 1
    OWN_FILE = 2
    LIBRARY = 3
    MEMORY = 4
    HARDWARE = 5
    #: It runs on a server that somebody else runs.
    ELSEWHERE = 6


@dataclass(frozen=True, slots=True, order=True)
class Verdict:
    """What is to be said of one model."""

    lack: Lack
    #: In words; models of which the same is said are listed together.
    words: str
    model: str
    #: What is said of this one beside its name.
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.model} ({self.detail})" if self.detail else self.model


def verdicts(
    models: Iterable[Model], here: Machine, stock: Stock, lacking: Callable[[str], str]
) -> Iterator[Verdict]:
    """What is missing of each model, the hardest thing where several are.

    `lacking` says how to install what a kind of engine lacks.
    """
    for model in models:
        variant = on_its_own(model, here.gpus)
        if variant is None:
            yield Verdict(Lack.HARDWARE, f"Need {_hardware(model)}", model.id)
        elif variant.hardware == "remote":
            yield Verdict(Lack.ELSEWHERE, "Served elsewhere", model.id)
        elif variant.hardware == "cpu" and (variant.memory_mb or 0) > here.memory_mb:
            words = f"Need more memory than the {here.memory_mb:,} MiB here"
            yield Verdict(Lack.MEMORY, words, model.id, f"{variant.memory_mb:,} MiB")
        elif remedy := lacking(variant.engine):
            yield Verdict(Lack.LIBRARY, f"Need a library ({remedy})", model.id)
        else:
            yield _by_weights(model, variant, stock)


def _by_weights(model: Model, variant: Variant, stock: Stock) -> Verdict:
    try:
        stock.locate(model, variant)
    except WeightsError:
        if model.supplied:
            words = "Need a file that you bring (`oxlo models show ID`)"
            return Verdict(Lack.OWN_FILE, words, model.id)
        known = stock.size(model, variant)
        words = "Need their weights (`oxlo models pull ID`, or `OXLO_MODELS=ID oxlo serve`)"
        return Verdict(Lack.WEIGHTS, words, model.id, size(known) if known else "")
    return Verdict(Lack.NOTHING, "Can be served now", model.id)


def _hardware(model: Model) -> str:
    names = [f"{v.cards} x {v.hardware}" if v.cards > 1 else v.hardware for v in model.variants]
    return " or ".join(names) or "a variant in their model file"


def paragraphs(found: Iterable[Verdict]) -> Iterator[str]:
    """Verdicts in words, those that can be served first."""
    for (_, words), together in groupby(sorted(found), key=lambda v: (v.lack, v.words)):
        yield f"{words}:\n{_WRAP.fill(', '.join(map(str, together)))}"
