"""What one engine gets of a machine."""

import pytest

from oxlo.hardware.sizing import Machine, Size, contexts, decide

LAPTOP = Machine(cores=2, memory_mb=16_000)
KILOBYTES = 23_040  # a token's context in SmolLM2


@pytest.mark.parametrize(
    ("cores", "threads", "slots"), [(1, 1, 5), (2, 2, 5), (4, 3, 8), (64, 63, 8)]
)
def test_sized_by_cores(cores: int, threads: int, slots: int) -> None:
    """Two slots a core, from five to eight; a larger machine keeps a core for the rest of it."""
    size = decide(Size(), Machine(cores, 64_000), 8192, KILOBYTES)
    assert (size.threads, size.slots, size.context) == (threads, slots, 8192)


def test_context_is_bounded() -> None:
    """A model of 32k gets 8192 unless somebody says more, and never more than it has."""
    assert decide(Size(), LAPTOP, 32_768, 0).context == 8192
    assert decide(Size(context=32_768), LAPTOP, 32_768, 0).context == 32_768
    assert decide(Size(context=99_999), LAPTOP, 32_768, 0).context == 32_768


def test_memory_takes_slots_then_context() -> None:
    """A small machine serves fewer callers before it forgets more of each chat."""
    small = decide(Size(), Machine(4, 2200), 8192, KILOBYTES)
    tiny = decide(Size(), Machine(4, 1000), 8192, KILOBYTES)
    assert (small.slots, small.context) == (6, 8192)
    assert (tiny.slots, tiny.context) == (5, 4096)


def test_five_choices_need_five_contexts() -> None:
    """One slot for calls still leaves room for a call with `n: 5`, and memory is sized for it."""
    one = decide(Size(slots=1), Machine(4, 1000), 8192, KILOBYTES)
    assert (one.slots, one.context) == (1, 4096)
    assert (contexts(one.slots), contexts(8)) == (5, 8)


def test_wishes_stand() -> None:
    """What the operator set is not second-guessed."""
    wish = Size(threads=7, slots=9, context=2048)
    assert decide(wish, Machine(2, 10), 8192, KILOBYTES) == wish


def test_machine_is_shared() -> None:
    """Engines split cores and memory; each has at least one core."""
    assert LAPTOP.shared(2) == Machine(1, 8000)
    assert LAPTOP.shared(3).cores == 1
    assert LAPTOP.shared(0) == LAPTOP
