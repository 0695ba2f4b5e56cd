"""Which models fit on which GPUs at the same time, each loaded for good: pure.

Models that fit on one card share cards, the smallest first and on the smallest kind of card that
they run on. A model that spans several cards gets cards that are still empty. Both are packed in
ascending order and nothing is moved afterwards, so that one card more, of whatever kind, never
makes a plan hold fewer models: docs/fleet-plan.md has the proof.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from oxlo.catalogue import Model, Variant
from oxlo.hardware.cards import CARDS


@dataclass(frozen=True, slots=True)
class Placement:
    """A model on its cards."""

    model: str
    hardware: str
    #: Numbers of the cards among those of their kind, from 0.
    cards: tuple[int, ...]
    #: On each of them, in MiB.
    memory_mb: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What is where, and why the rest is not anywhere."""

    placements: tuple[Placement, ...]
    #: Reasons by model.
    unplaced: dict[str, str]


def plan(models: Iterable[Model], gpus: Mapping[str, int]) -> Plan:
    """Place as many of the models as fit on so many GPUs of each kind, by its name in `CARDS`."""
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
    """Models of one card, the smallest first, each card filled before the next is begun."""
    whole = CARDS[kind].memory_mb
    rest, room = iter(cards), 0
    card: int | None = None
    for _, need, model in _wishes(models, kind, spanning=False):
        if need > room:
            card, room = next(rest, None), whole
        if card is None:
            return
        room -= need
        yield Placement(model, kind, (card,), need)


def _span(models: Iterable[Model], kind: str, cards: list[int]) -> Iterator[Placement]:
    """Models of several cards, those with the fewest first."""
    first = 0
    for count, need, model in _wishes(models, kind, spanning=True):
        if first + count > len(cards):
            return
        yield Placement(model, kind, tuple(cards[first : first + count]), need)
        first += count


def _wishes(models: Iterable[Model], kind: str, *, spanning: bool) -> list[tuple[int, int, str]]:
    """How many cards of a kind each model wants, how much of each, and which model: ascending."""
    return sorted(
        min((variant.cards, need(variant), model.id) for variant in able)
        for model in models
        if (able := [v for v in model.variants if _is_for(v, kind) and (v.cards > 1) == spanning])
    )


def _is_for(variant: Variant, kind: str) -> bool:
    return variant.hardware == kind and need(variant) <= CARDS[kind].memory_mb


def need(variant: Variant) -> int:
    """MiB of each card; a variant that does not say takes all of it."""
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
