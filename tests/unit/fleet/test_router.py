from collections import Counter
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from oxlo.fleet.router import LOAD_WINDOW, choose


@dataclass(frozen=True)
class Replica:
    """A replica as the router sees it."""

    id: str
    in_use: int = 0
    slots: int = 4
    broken_until: float = 0.0


replicas = st.lists(
    st.builds(
        Replica,
        id=st.uuids().map(str),
        in_use=st.integers(0, 8),
        slots=st.integers(1, 8),
        broken_until=st.sampled_from([0.0, 99.0]),
    ),
    max_size=6,
)


def test_no_free_slot_is_nobody() -> None:
    """Without a free slot the call has to wait."""
    assert choose([], None, 0.0) is None
    assert choose([Replica("a", in_use=4), Replica("b", in_use=4)], 7, 0.0) is None


def test_least_loaded_share_wins() -> None:
    """Load is the share of slots taken, not the number of calls."""
    small, large = Replica("small", in_use=1, slots=2), Replica("large", in_use=3, slots=16)
    assert choose([small, large], None, 0.0) is large


def test_broken_one_is_left_alone() -> None:
    """A breaker keeps calls away until its time, and from then on no longer."""
    broken, busy = Replica("broken", broken_until=5.0), Replica("busy", in_use=3)
    assert choose([broken, busy], None, 4.9) is busy
    assert choose([broken, busy], None, 5.0) is broken


def test_all_broken_is_no_reason_to_wait() -> None:
    """When every replica is broken the call is tried: its error is true and comes at once."""
    assert choose([Replica("a", broken_until=9.0)], None, 0.0) is not None
    assert choose([Replica(i, broken_until=9.0) for i in "ab"], None, 0.0) is not None


def test_busy_one_is_waited_for() -> None:
    """A sound replica that is full is better than a broken one that is free."""
    broken, full = Replica("broken", broken_until=5.0), Replica("full", in_use=4)
    assert choose([broken, full], None, 0.0) is None


@given(replicas, st.integers(0, 2**64))
def test_choice_is_free_and_near(candidates: list[Replica], prefix: int) -> None:
    """Whoever is chosen has a free slot and is within the window of the least loaded."""
    chosen = choose(candidates, prefix, 0.0)
    usable = [c for c in candidates if not c.broken_until] or candidates
    free = [c for c in usable if c.in_use < c.slots]
    assert (chosen is None) == (not free)
    if chosen is not None:
        assert chosen in free
        least = min(c.in_use / c.slots for c in free)
        assert chosen.in_use / chosen.slots <= least + LOAD_WINDOW


@given(replicas, st.integers(1, 2**64))
def test_same_prompt_same_replica(candidates: list[Replica], prefix: int) -> None:
    """The order in which replicas are listed does not matter."""
    assert choose(candidates, prefix, 0.0) == choose(candidates[::-1], prefix, 0.0)


def test_prompts_are_spread() -> None:
    """Prompts are shared out evenly between idle replicas."""
    idle = [Replica(f"replica-{n}") for n in range(4)]
    chosen = Counter(choose(idle, prefix * 2_654_435_761, 0.0) for prefix in range(1, 4_001))
    assert all(850 < count < 1_150 for count in chosen.values())


def test_lost_replica_moves_only_its_own() -> None:
    """When a replica goes, prompts of the others stay where their cache is."""
    idle = [Replica(f"replica-{n}") for n in range(4)]
    gone, left = idle[0], idle[1:]
    for prefix in range(1, 500):
        before, after = choose(idle, prefix, 0.0), choose(left, prefix, 0.0)
        assert before in (gone, after)


def test_hot_prompt_overflows() -> None:
    """One prompt that everybody sends does not fill one replica while others idle."""
    taken = Counter({f"replica-{n}": 0 for n in range(3)})
    for _ in range(9):
        chosen = choose([Replica(i, in_use=n, slots=6) for i, n in taken.items()], 42, 0.0)
        assert chosen is not None
        taken[chosen.id] += 1
    assert max(taken.values()) - min(taken.values()) <= 2
