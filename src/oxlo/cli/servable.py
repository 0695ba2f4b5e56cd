"""Which models this machine can serve, and what the others need; only the stock is read."""

import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import groupby

from oxlo.catalogue import Model, Variant
from oxlo.cli.model_output import size
from oxlo.fleet.assign import on_its_own
from oxlo.hardware.sizing import Machine
from oxlo.weights import Stock, WeightsError

_WRAP = textwrap.TextWrapper(
    100, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
)


class Need(IntEnum):
    """What a model needs before it can be served, the easiest first."""

    NOTHING = 0
    WEIGHTS = 1
    OWN_FILE = 2
    LIBRARY = 3
    MEMORY = 4
    HARDWARE = 5
    #: It runs on a remote server.
    ELSEWHERE = 6


@dataclass(frozen=True, slots=True, order=True)
class Verdict:
    """The result for one model."""

    need: Need
    #: Heading; models with the same one are listed together.
    heading: str
    model: str
    #: Shown beside the model's name.
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.model} ({self.detail})" if self.detail else self.model


def verdicts(
    models: Iterable[Model], here: Machine, stock: Stock, lacking: Callable[[str], str]
) -> Iterator[Verdict]:
    """What each model needs; of several needs the hardest.

    `lacking` returns how to install the missing library of a kind of engine, or "".
    """
    for model in models:
        variant = on_its_own(model, here.gpus)
        if variant is None:
            yield Verdict(Need.HARDWARE, f"Need {_hardware(model)}", model.id)
        elif variant.hardware == "remote":
            yield Verdict(Need.ELSEWHERE, "Served elsewhere", model.id)
        elif variant.hardware == "cpu" and (variant.memory_mb or 0) > here.memory_mb:
            heading = f"Need more memory than the {here.memory_mb:,} MiB here"
            yield Verdict(Need.MEMORY, heading, model.id, f"{variant.memory_mb:,} MiB")
        elif remedy := lacking(variant.engine):
            yield Verdict(Need.LIBRARY, f"Need a library ({remedy})", model.id)
        else:
            yield _by_weights(model, variant, stock)


def _by_weights(model: Model, variant: Variant, stock: Stock) -> Verdict:
    try:
        stock.locate(model, variant)
    except WeightsError:
        if model.supplied:
            heading = "Need a file that you bring (`oxlo models show ID`)"
            return Verdict(Need.OWN_FILE, heading, model.id)
        known = stock.size(model, variant)
        heading = "Need their weights (`oxlo models pull ID`, or `OXLO_MODELS=ID oxlo serve`)"
        return Verdict(Need.WEIGHTS, heading, model.id, size(known) if known else "")
    return Verdict(Need.NOTHING, "Can be served now", model.id)


def _hardware(model: Model) -> str:
    names = [f"{v.cards} x {v.hardware}" if v.cards > 1 else v.hardware for v in model.variants]
    return " or ".join(names) or "a variant in their model file"


def paragraphs(results: Iterable[Verdict]) -> Iterator[str]:
    """Verdicts as text, servable models first."""
    for (_, heading), together in groupby(sorted(results), key=lambda v: (v.need, v.heading)):
        yield f"{heading}:\n{_WRAP.fill(', '.join(map(str, together)))}"
