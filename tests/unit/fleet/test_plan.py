"""What fits on which GPUs: the rules that hold for any models and any cards."""

from collections import defaultdict

from hypothesis import example, given
from hypothesis import strategies as st
from tests import models

from oxlo import catalogue
from oxlo.catalogue import Model, Variant
from oxlo.fleet.plan import Plan, plan
from oxlo.hardware.cards import CARDS

KINDS = list(CARDS)


def variant(hardware: str, cards: int, memory_mb: int | None) -> Variant:
    args = {"tensor_parallel": cards} if cards > 1 else {}
    return Variant(hardware=hardware, engine="vllm", args=args, memory_mb=memory_mb)


def model(number: int, variants: tuple[Variant, ...]) -> Model:
    return models.model(f"model-{number:02}", variants=variants)


@st.composite
def some_variant(draw: st.DrawFn) -> Variant:
    """On one card or several, some of it or all, sometimes more than there is."""
    kind = draw(st.sampled_from(KINDS))
    whole = CARDS[kind].memory_mb
    share = st.integers(1, 8).map(lambda eighths: whole * eighths // 8 + (eighths == 8))
    return variant(kind, draw(st.sampled_from([1, 1, 1, 2, 3, 4])), draw(share | st.none()))


some_models = st.lists(st.lists(some_variant(), max_size=4), max_size=14).map(
    lambda all_: [model(number, tuple(variants)) for number, variants in enumerate(all_)]
)
some_gpus = st.dictionaries(st.sampled_from(KINDS), st.integers(0, 6))


@given(models=some_models, gpus=some_gpus)
@example(models=[model(0, (variant("h200", 1, 143_772),))], gpus={"h200": 1})
def test_no_card_is_over_committed(models: list[Model], gpus: dict[str, int]) -> None:
    """What is on a card fits on it, and the card is one of those that there are."""
    taken: dict[tuple[str, int], int] = defaultdict(int)
    for placement in plan(models, gpus).placements:
        for card in placement.cards:
            assert card < gpus[placement.hardware]
            taken[placement.hardware, card] += placement.memory_mb
    assert all(used <= CARDS[kind].memory_mb for (kind, _), used in taken.items())


@given(models=some_models, gpus=some_gpus)
def test_each_has_exactly_its_cards(models: list[Model], gpus: dict[str, int]) -> None:
    """A model is placed at most once, as one of its variants says; if it spans cards, alone."""
    made = plan(models, gpus)
    by_id = {m.id: m for m in models}
    assert len({p.model for p in made.placements}) == len(made.placements)
    for placement in made.placements:
        wanted = [v for v in by_id[placement.model].variants if v.hardware == placement.hardware]
        whole = CARDS[placement.hardware].memory_mb
        sizes = {(v.cards, v.memory_mb or whole) for v in wanted}
        assert (len(set(placement.cards)), placement.memory_mb) in sizes
        if len(placement.cards) > 1:
            assert alone(made, placement.hardware, placement.cards)


def alone(made: Plan, hardware: str, cards: tuple[int, ...]) -> bool:
    there = [p for p in made.placements if p.hardware == hardware and set(p.cards) & set(cards)]
    return len(there) == 1


@given(models=some_models, gpus=some_gpus, kind=st.sampled_from(KINDS), more=st.integers(1, 3))
def test_more_cards_never_hold_fewer(
    models: list[Model], gpus: dict[str, int], kind: str, more: int
) -> None:
    """Whatever kind of card is added."""
    larger = gpus | {kind: gpus.get(kind, 0) + more}
    assert len(plan(models, larger).placements) >= len(plan(models, gpus).placements)


@given(models=some_models, gpus=some_gpus, data=st.data())
def test_the_order_does_not_matter(
    models: list[Model], gpus: dict[str, int], data: st.DataObject
) -> None:
    """The same models and cards give the same plan, however they are listed."""
    shuffled = data.draw(st.permutations(models))
    assert plan(shuffled, dict(reversed(gpus.items()))) == plan(models, gpus)


@given(models=some_models, gpus=some_gpus)
def test_who_is_left_out_is_told_why(models: list[Model], gpus: dict[str, int]) -> None:
    """Every model is placed, or named with a reason."""
    made = plan(models, gpus)
    assert {p.model for p in made.placements} | made.unplaced.keys() == {m.id for m in models}
    assert not {p.model for p in made.placements} & made.unplaced.keys()
    assert all(made.unplaced.values())


def test_reasons() -> None:
    """They say what is missing."""
    models = [
        model(0, (variant("a100", 2, 70_000),)),
        model(1, (variant("h200", 1, 70_000),)),
        model(2, (variant("t4", 1, 10_000),)),
        model(3, ()),
        model(4, (variant("t4", 1, 10_000),)),
        model(5, (variant("a100", 2, 90_000),)),
    ]
    assert plan(models, {"a100": 1, "t4": 1}).unplaced == {
        "model-00": "needs 2 x a100, 1 left",
        "model-01": "runs on h200 only",
        "model-03": "runs on no GPU",
        "model-04": "needs 10,000 MiB on one t4",
        "model-05": "needs 90,000 MiB of each a100, more than it has",
    }


def test_small_ones_share() -> None:
    """Two halves are on one card; the third gets the next."""
    half = CARDS["l40s"].memory_mb // 2
    models = [model(number, (variant("l40s", 1, half),)) for number in range(3)]
    placed = plan(models, {"l40s": 2}).placements
    assert [placement.cards for placement in placed] == [(0,), (0,), (1,)]


def test_all_that_is_sold_has_a_place() -> None:
    """With cards enough, every model that runs on a GPU is placed."""
    models = [m for m in catalogue.load() if any(v.cards for v in m.variants)]
    made = plan(models, {"t4": 8, "l40s": 24, "a100": 96, "h200": 16})
    assert made.unplaced == {}
