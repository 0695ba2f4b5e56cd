"""Choosing a variant and GPUs for each model on this machine. Pure.

GPUs are packed as in `oxlo fleet plan`, so that a machine runs what was planned for it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from oxlo.catalogue import Model, Variant
from oxlo.fleet.plan import plan
from oxlo.hardware.cards import CARDS
from oxlo.hardware.sizing import Gpu

#: A GPU counts as a kind if it has this share of its memory: nominal sizes differ slightly.
_ENOUGH = 0.95
#: Hides all GPUs from engines that need none; and numbers GPUs as nvidia-smi does.
_NO_CARD = {"CUDA_VISIBLE_DEVICES": ""}
_ORDER = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}

Cards = Mapping[str, Sequence[Gpu]]


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine of a model."""

    #: `MODEL-NUMBER`, from 1.
    replica: str
    model: Model
    #: None: nothing here can run it; `reason` says why.
    variant: Variant | None
    gpus: tuple[Gpu, ...] = ()
    reason: str = ""

    @property
    def on_cpu(self) -> bool:
        """Whether it shares the CPU cores with other engines."""
        return self.variant is not None and self.variant.hardware == "cpu"

    def environment(self, cards_here: int) -> dict[str, str]:
        """Environment variables that restrict its process to its GPUs."""
        if not cards_here:
            return {}
        if not self.gpus:
            return _NO_CARD
        return _ORDER | {"CUDA_VISIBLE_DEVICES": ",".join(str(gpu.index) for gpu in self.gpus)}


def assign(
    models: Iterable[Model],
    gpus: Sequence[Gpu],
    wanted: Mapping[str, int] | None = None,
    least: Mapping[str, int] | None = None,
) -> list[Engine]:
    """All engines of the models. No GPU is over-committed: an engine that does not fit runs on the
    CPU if its model can; otherwise it has no variant and a reason.

    `wanted` overrides the number of engines in a model's file; `least` is a lower bound for it.
    """
    cards, counts, floor = by_kind(gpus), wanted or {}, least or {}
    engines = [
        engine
        for model in models
        for engine in _engines(model, cards, gpus, counts.get(model.id), floor.get(model.id, 1))
    ]
    on_gpus = [engine for engine in engines if engine.variant and engine.variant.cards]
    placed = _place(on_gpus, cards)
    return [placed.get(engine.replica, engine) for engine in engines]


def on_its_own(model: Model, gpus: Sequence[Gpu]) -> Variant | None:
    """The variant of a model that has the whole machine; None if it cannot run here."""
    cards = by_kind(gpus)
    return choose(fitted(model, cards).variants, cards)


def by_kind(gpus: Iterable[Gpu]) -> Cards:
    """The GPUs by kind, each as the largest kind of the catalogue that it can replace."""
    kinds: defaultdict[str, list[Gpu]] = defaultdict(list)
    for gpu in gpus:
        if kind := kind_of(gpu):
            kinds[kind].append(gpu)
    return kinds


def kind_of(gpu: Gpu) -> str | None:
    """The kind by memory size: an H100 counts as an A100."""
    able = [kind for kind, card in CARDS.items() if gpu.memory_mb >= _ENOUGH * card.memory_mb]
    return max(able, key=lambda kind: CARDS[kind].memory_mb, default=None)


def fitted(model: Model, cards: Iterable[str]) -> Model:
    """The model with a variant for each kind of GPU here, derived from that for a smaller kind."""
    has = {variant.hardware: variant for variant in model.variants}
    made = []
    for kind in cards:
        smaller = [has[other] for other in has if _is_smaller(other, kind)]
        if kind not in has and smaller:
            largest = max(smaller, key=lambda v: CARDS[v.hardware].memory_mb)
            made.append(msgspec.structs.replace(largest, hardware=kind, verified=False))
    return msgspec.structs.replace(model, variants=(*model.variants, *made))


def _is_smaller(other: str, kind: str) -> bool:
    return other in CARDS and CARDS[other].memory_mb < CARDS[kind].memory_mb


def choose(variants: Iterable[Variant], cards: Cards) -> Variant | None:
    """The preferred variant on these GPUs; None if no variant can run here.

    Remote ones come first, then those for the smallest GPUs of which there are enough, then the
    CPU.
    """
    order: list[str] = ["remote", *CARDS, "cpu"]
    own = [v for v in variants if not v.overflow]
    able = [v for v in own if v.hardware in ("remote", "cpu") or _enough(v, cards)]
    return min(able, key=lambda variant: order.index(variant.hardware), default=None)


def _enough(variant: Variant, cards: Cards) -> bool:
    return 0 < variant.cards <= len(cards.get(variant.hardware, ()))


def _engines(
    model: Model, cards: Cards, gpus: Sequence[Gpu], wanted: int | None, least: int
) -> Iterator[Engine]:
    model = fitted(model, cards)
    variant = choose(model.variants, cards)
    reason = "" if variant else _cannot_run(model, gpus)
    number = variant.args.get("replicas", 1) if variant else 1
    if wanted and variant and variant.hardware != "remote":
        number = wanted
    number = number if isinstance(number, int) else 1
    if variant and variant.hardware != "remote":
        number = max(number, least)
    for n in range(1, number + 1):
        yield Engine(f"{model.id}-{n}", model, variant, reason=reason)
    for n, beside in enumerate((v for v in model.variants if v.overflow), 1):
        yield Engine(f"{model.id}-overflow-{n}", model, beside)


def _cannot_run(model: Model, gpus: Sequence[Gpu]) -> str:
    needed = [f"{v.cards} x {v.hardware}" for v in model.variants if v.cards]
    if not needed:
        return f"the model file of {model.id} has no variant"
    here = ", ".join(f"{gpu.name} with {gpu.memory_mb:,} MiB" for gpu in gpus)
    return f"it runs on {' or '.join(needed)}; here is {here or 'no GPU that nvidia-smi shows'}"


def _place(engines: Iterable[Engine], cards: Cards) -> dict[str, Engine]:
    """The engines with the GPUs that the plan assigns to them."""
    waiting = {engine.replica: engine for engine in engines}
    models = [msgspec.structs.replace(e.model, id=e.replica) for e in waiting.values()]
    made = plan(models, {kind: len(gpus) for kind, gpus in cards.items()})
    placed = {
        p.model: _on(waiting[p.model], p.hardware, [cards[p.hardware][n] for n in p.cards])
        for p in made.placements
    }
    left = {name: _without_cards(waiting[name], why) for name, why in made.unplaced.items()}
    return placed | left


def _on(engine: Engine, hardware: str, gpus: Sequence[Gpu]) -> Engine:
    variants = [v for v in engine.model.variants if v.hardware == hardware]
    variant = next(v for v in variants if v.cards == len(gpus))
    return Engine(engine.replica, engine.model, variant, tuple(gpus))


def _without_cards(engine: Engine, why: str) -> Engine:
    on_cpu = next((v for v in engine.model.variants if v.hardware == "cpu"), None)
    reason = "" if on_cpu else f"the GPUs here have no room left for it: {why}"
    return Engine(engine.replica, engine.model, on_cpu, reason=reason)
