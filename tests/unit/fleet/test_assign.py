"""Which engine runs where."""

from collections import Counter
from collections.abc import Sequence

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from oxlo import catalogue
from oxlo.catalogue import Model, Variant
from oxlo.fleet.assign import assign, by_kind, choose, fitted, kind_of
from oxlo.hardware.cards import CARDS
from oxlo.hardware.sizing import Gpu

KNOWN = catalogue.load()


def gpus(*memory_mb: int) -> list[Gpu]:
    return [Gpu(index, "A card", memory) for index, memory in enumerate(memory_mb)]


def named(*names: str) -> list[Model]:
    return [KNOWN.resolve(name) for name in names]


def hardware(model: Model, cards: Sequence[Gpu]) -> str | None:
    variant = choose(fitted(model, by_kind(cards)).variants, by_kind(cards))
    return variant.hardware if variant else None


def test_memory_says_what_a_card_stands_for() -> None:
    """An H100 stands for an A100, one with 40 GB for a T4, a small one for nothing."""
    shown = {81_559: "a100", 143_771: "h200", 40_960: "t4", 46_068: "l40s", 8_192: None}
    assert {memory: kind_of(gpu) for memory in shown for gpu in gpus(memory)} == shown


def test_what_is_chosen() -> None:
    """The machine's own kind of card; the CPU without one; nothing without either."""
    small, large = named("deepseek-r1-8b", "llama-3.3-70b")
    assert hardware(small, gpus(15_360)) == "t4"
    assert hardware(small, gpus(46_068)) == "l40s"
    assert hardware(small, []) == "cpu"
    assert hardware(large, gpus(81_559)) is None
    assert hardware(large, gpus(81_559, 81_559)) == "a100"


def test_a_larger_card_takes_what_a_smaller_one_would() -> None:
    """As much memory of it."""
    (model,) = named("gpt-oss-20b")
    (engine,) = assign([model], gpus(143_771))
    on_a100 = next(v for v in model.variants if v.hardware == "a100")
    assert engine.variant
    assert (engine.variant.hardware, engine.variant.memory_mb) == ("h200", on_a100.memory_mb)


def test_small_models_share_a_card() -> None:
    """Two that take half of it at most; each is told its card by number."""
    engines = assign(named("llama-3.2-3b", "qwen-2.5-7b"), gpus(46_068))
    assert [engine.gpus[0].index for engine in engines] == [0, 0]
    told = engines[0].environment(1)
    assert told == {"CUDA_VISIBLE_DEVICES": "0", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def test_cards_that_an_engine_sees() -> None:
    """An engine without a card sees none of the machine's; without cards nothing is restricted."""
    (engine,) = assign(named("smollm2-135m"), gpus(46_068))
    assert engine.environment(1)["CUDA_VISIBLE_DEVICES"] == ""
    assert engine.environment(0) == {}


def test_a_model_that_spans_cards_has_them_alone() -> None:
    """Tensor parallel: two cards, and none of them is another's."""
    engines = assign(named("llama-3.3-70b", "llama-3.2-3b"), gpus(*[81_559] * 3))
    large, small = (engine.gpus for engine in engines)
    assert len(large) == 2
    assert not set(large) & set(small)


def test_no_room() -> None:
    """One card, two models that want nearly all of it: the one that needs more is told so."""
    qwen, gemma = assign(named("qwen-3-32b", "gemma-27b"), gpus(46_068))
    assert gemma.gpus
    assert qwen.variant is None
    assert qwen.reason == "the GPUs here have no room left for it: needs 43,764 MiB on one l40s"


def test_cpu_instead() -> None:
    """A model with a CPU variant is served there when the cards are full."""
    models = named("qwen-2.5-7b", "llama-3.1-8b", "deepseek-r1-8b")
    engines = {e.model.id: e for e in assign(models, gpus(15_360))}
    assert sum(bool(engine.gpus) for engine in engines.values()) == 1
    cpu = [engine for engine in engines.values() if engine.on_cpu]
    assert all(engine.environment(1) == {"CUDA_VISIBLE_DEVICES": ""} for engine in cpu)


def test_who_cannot_run_says_why() -> None:
    """The cards that it wants, and those that are here."""
    (engine,) = assign(named("llama-3.3-70b"), [Gpu(0, "Tesla T4", 15_360)])
    assert engine.variant is None
    assert engine.reason == ("it runs on 2 x l40s or 2 x a100; here is Tesla T4 with 15,360 MiB")
    (bare,) = assign([msgspec.structs.replace(engine.model, variants=())], [])
    assert bare.reason == "the model file of llama-3.3-70b has no variant"


def test_elsewhere_comes_first() -> None:
    """An operator who wrote where a model runs meant it."""
    remote = Variant(hardware="remote", engine="upstream")
    assert choose([*named("gpt-oss-20b")[0].variants, remote], by_kind(gpus(81_920))) is remote


def test_replicas() -> None:
    """As many engines as the chosen variant says, each with its own cards."""
    variant = Variant(hardware="a100", engine="vllm", args={"replicas": 2})
    model = msgspec.structs.replace(named("gpt-oss-20b")[0], variants=(variant,))
    engines = assign([model], gpus(81_920, 81_920))
    assert [(e.replica, [g.index for g in e.gpus]) for e in engines] == [
        ("gpt-oss-20b-1", [0]), ("gpt-oss-20b-2", [1]),
    ]  # fmt: skip
    (wished,) = assign([model], gpus(81_920, 81_920), {"gpt-oss-20b": 1})
    assert wished.replica == "gpt-oss-20b-1"
    least = assign([model], gpus(81_920, 81_920), {"gpt-oss-20b": 1}, {"gpt-oss-20b": 2})
    assert len(least) == 2


def test_overflow_beside_its_own() -> None:
    """Servers elsewhere that stand by are no choice for what runs here, but come beside it."""
    far, near = (
        Variant(hardware="remote", engine="upstream", args={"base_url": url}, overflow=n)
        for n, url in ((2, "http://far"), (1, "http://near"))
    )
    variants = (far, near, Variant(hardware="cpu", engine="llamacpp"))
    model = msgspec.structs.replace(named("smollm2-135m")[0], variants=variants)
    engines = assign([model], [])
    assert [(e.replica, e.variant and e.variant.overflow) for e in engines] == [
        ("smollm2-135m-1", 0), ("smollm2-135m-overflow-1", 2), ("smollm2-135m-overflow-2", 1),
    ]  # fmt: skip


MEMORIES = st.sampled_from([8_192, 15_360, 23_028, 46_068, 81_559, 143_771])


@given(
    names=st.lists(st.sampled_from([m.id for m in KNOWN]), unique=True, max_size=12),
    memories=st.lists(MEMORIES, max_size=8),
)
def test_no_card_is_over_committed(names: list[str], memories: list[int]) -> None:
    """Whatever is named on whatever machine: each card holds what is put on it, or one engine."""
    taken: Counter[int] = Counter()
    engines = assign(named(*names), gpus(*memories))
    assert [engine.model.id for engine in engines] == names
    for engine in engines:
        assert bool(engine.reason) == (engine.variant is None)
        for gpu in engine.gpus:
            assert engine.variant
            kind = CARDS[kind_of(gpu) or ""]
            taken[gpu.index] += engine.variant.memory_mb or kind.memory_mb
    for index, memory_mb in taken.items():
        kind = CARDS[kind_of(gpus(*memories)[index]) or ""]
        assert memory_mb <= kind.memory_mb
