"""Packing models on GPUs so that all stay loaded. Pure.

Models that fit on one GPU share GPUs, smallest model first, on the smallest kind of GPU that they
run on. A model that spans several GPUs gets empty ones. Both are packed in ascending order and
nothing is moved afterwards, so that an additional GPU of any kind never makes a plan hold fewer
models: docs/fleet-plan.md has the proof.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from oxlo.catalogue import Model, Variant
from oxlo.hardware.cards import CARDS


@dataclass(frozen=True, slots=True)
class Placement:
    """A model on its GPUs."""

    model: str
    hardware: str
    #: Indices of the GPUs among those of their kind, from 0.
    cards: tuple[int, ...]
    #: On each GPU, in MiB.
    memory_mb: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The placements, and why the other models have none."""

    placements: tuple[Placement, ...]
    #: The reason for each model without a placement.
    unplaced: dict[str, str]


def plan(models: Iterable[Model], gpus: Mapping[str, int]) -> Plan:
    """Place as many models as fit; `gpus` is the number of GPUs of each kind in `CARDS`."""
    waiting = {model.id: model for model in models}
    empty = {kind: list(range(gpus.get(kind, 0))) for kind in CARDS}
    placements: list[Placement] = []
    for place in (_share, _span):
        for kind, cards in empty.items():
            placed = list(place(waiting.values(), kind, cards))
            placements += placed
            waiting = {name: waiting[name] for name in waiting.keys() - {p.model for p in placed}}
            taken = {card for placement in placed for card in placement.cards}
            empty[kind] = [card for card in cards if card not in taken]
    unplaced = {name: _reason(waiting[name], gpus, empty) for name in sorted(waiting)}
    return Plan(tuple(placements), unplaced)


def _share(models: Iterable[Model], kind: str, cards: list[int]) -> Iterator[Placement]:
    """Place models of one GPU, smallest first, filling each GPU before the next."""
    whole = CARDS[kind].memory_mb
    rest, room = iter(cards), 0
    card: int | None = None
    for _, need, model in _needs(models, kind, spanning=False):
        if need > room:
            card, room = next(rest, None), whole
        if card is None:
            return
        room -= need
        yield Placement(model, kind, (card,), need)


def _span(models: Iterable[Model], kind: str, cards: list[int]) -> Iterator[Placement]:
    """Place models of several GPUs, those with the fewest first."""
    first = 0
    for count, need, model in _needs(models, kind, spanning=True):
        if first + count > len(cards):
            return
        yield Placement(model, kind, tuple(cards[first : first + count]), need)
        first += count


def _needs(models: Iterable[Model], kind: str, *, spanning: bool) -> list[tuple[int, int, str]]:
    """For each model the number of GPUs, MiB on each, and its id; in ascending order."""
    return sorted(
        min((variant.cards, need(variant), model.id) for variant in able)
        for model in models
        if (able := [v for v in model.variants if _is_for(v, kind) and (v.cards > 1) == spanning])
    )


def _is_for(variant: Variant, kind: str) -> bool:
    return variant.hardware == kind and need(variant) <= CARDS[kind].memory_mb


def need(variant: Variant) -> int:
    """MiB on each GPU; all of it if the variant does not say."""
    return variant.memory_mb or CARDS[variant.hardware].memory_mb


def _reason(model: Model, gpus: Mapping[str, int], empty: Mapping[str, list[int]]) -> str:
    kinds = {variant.hardware: variant for variant in model.variants if variant.cards}
    here = [variant for kind, variant in kinds.items() if gpus.get(kind)]
    if not kinds:
        return "runs on no GPU"
    if not here:
        return f"runs on {', '.join(kinds)} only"
    return "; ".join(_missing(variant, len(empty[variant.hardware])) for variant in here)


def _missing(variant: Variant, left: int) -> str:
    if need(variant) > CARDS[variant.hardware].memory_mb:
        return f"needs {need(variant):,} MiB of each {variant.hardware}, more than it has"
    if variant.cards > 1:
        return f"needs {variant.cards} x {variant.hardware}, {left} left"
    return f"needs {need(variant):,} MiB on one {variant.hardware}"
