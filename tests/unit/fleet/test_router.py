from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from oxlo.fleet.prefixes import Prefixes
from oxlo.fleet.router import SHARE, Demand, choose
from oxlo.wire.marks import marks

ROOM = 1 << 20


@dataclass
class Replica:
    """A replica as the router sees it."""

    id: str
    in_use: int = 0
    slots: int = 4
    broken_until: float = 0.0
    work: float = 0.0
    overflow: int = 0
    prefixes: Prefixes = field(default_factory=lambda: Prefixes(ROOM))


replicas = st.lists(
    st.builds(
        Replica,
        id=st.uuids().map(str),
        in_use=st.integers(0, 8),
        slots=st.integers(1, 8),
        broken_until=st.sampled_from([0.0, 99.0]),
        work=st.floats(0, 9_000),
    ),
    max_size=6,
)


def about(text: str, *, answer: float = 100.0) -> Demand:
    """A call whose prompt is this text."""
    return Demand(marks([text.encode()]), len(text) / 4, answer)


PLAIN = Demand([], 100.0, 100.0)
DOCUMENT = "What the contract says of whales. " * 240


def take(replica: Replica, demand: Demand) -> None:
    """The replica gets a call."""
    replica.in_use += 1
    replica.work += demand.work
    replica.prefixes.note(demand.marks)


def test_no_free_slot_is_nobody() -> None:
    """Without a free slot the call has to wait."""
    assert choose([], PLAIN, 0.0) is None
    assert choose([Replica("a", in_use=4), Replica("b", in_use=4)], PLAIN, 0.0) is None


def test_least_work_per_slot_wins() -> None:
    """Load is the work that waits before a slot, not the number of calls."""
    small = Replica("small", in_use=1, slots=2, work=2_000)
    large = Replica("large", in_use=3, slots=16, work=3_000)
    assert choose([small, large], PLAIN, 0.0) is large


def test_broken_one_is_left_alone() -> None:
    """A breaker keeps calls away until its time, and from then on no longer."""
    broken, busy = Replica("broken", broken_until=5.0), Replica("busy", in_use=3, work=900)
    assert choose([broken, busy], PLAIN, 4.9) is busy
    assert choose([broken, busy], PLAIN, 5.0) is broken


def test_all_broken_is_no_reason_to_wait() -> None:
    """When every replica is broken the call is tried: its error is true and comes at once."""
    assert choose([Replica("a", broken_until=9.0)], PLAIN, 0.0) is not None
    assert choose([Replica(i, broken_until=9.0) for i in "ab"], PLAIN, 0.0) is not None


def test_overflow_stands_by() -> None:
    """A server elsewhere gets what nobody here has a free slot for, by the list's order."""
    here = [Replica("a", in_use=3, work=9_000), Replica("b", in_use=4)]
    beside = [Replica("near", overflow=1, in_use=1), Replica("far", overflow=2)]
    assert choose([*beside, *here], PLAIN, 0.0) is here[0]
    here[0].in_use = 4
    assert choose([*beside, *here], PLAIN, 0.0) is beside[0]
    beside[0].broken_until = 9.0
    assert choose([*beside, *here], PLAIN, 0.0) is beside[1]


def test_busy_one_is_waited_for() -> None:
    """A sound replica that is full is better than a broken one that is free."""
    broken, full = Replica("broken", broken_until=5.0), Replica("full", in_use=4)
    assert choose([broken, full], PLAIN, 0.0) is None


@given(replicas, st.text(max_size=5_000))
def test_choice_is_free_and_has_its_share(candidates: list[Replica], text: str) -> None:
    """Whoever is chosen has a free slot, and above half of its slots no more than its share."""
    demand = about(text)
    chosen = choose(candidates, demand, 0.0)
    usable = [c for c in candidates if not c.broken_until] or candidates
    free = [c for c in usable if c.in_use < c.slots]
    assert (chosen is None) == (not free)
    if chosen is not None and len(free) == len(usable) > 1 and chosen.in_use * 2 > chosen.slots:
        mean = (sum(c.work for c in usable) + demand.work) / sum(c.slots for c in usable)
        assert chosen.work / chosen.slots <= SHARE * mean


@given(replicas, st.text(min_size=1, max_size=2_000))
def test_same_prompt_same_replica(candidates: list[Replica], text: str) -> None:
    """The order in which replicas are listed does not matter."""
    assert choose(candidates, about(text), 0.0) == choose(candidates[::-1], about(text), 0.0)


def test_prompts_are_spread() -> None:
    """New prompts are shared out evenly between idle replicas, in number and in bytes."""
    idle = [Replica(f"replica-{n}") for n in range(4)]
    taken: Counter[str] = Counter()
    for number in range(400):
        demand = about(f"{number} " * 100)
        chosen = choose(idle, demand, 0.0)
        assert chosen is not None
        chosen.prefixes.note(demand.marks)
        taken[chosen.id] += 1
    assert all(90 <= count <= 110 for count in taken.values())


def test_lost_replica_moves_only_its_own() -> None:
    """When a replica goes, new prompts of the others stay where its hash says."""
    idle = [Replica(f"replica-{n}") for n in range(4)]
    gone, left = idle[0], idle[1:]
    for number in range(1, 500):
        before, after = (choose(those, about(f"{number}"), 0.0) for those in (idle, left))
        assert before in (gone, after)


def test_documents_are_shared_out() -> None:
    """Four documents and two replicas are two for each, however their hashes fall."""
    for trial in range(50):
        pair = [Replica("a"), Replica("b")]
        for number in range(4):
            demand = about(f"{trial} {number} {DOCUMENT}")
            chosen = choose(pair, demand, 0.0)
            assert chosen is not None
            chosen.prefixes.note(demand.marks)
        assert pair[0].prefixes.size == pair[1].prefixes.size


def test_follows_its_document() -> None:
    """A question about a document goes to who has read it, even past a less loaded one."""
    knows, idle = Replica("knows", in_use=1, work=300), Replica("idle")
    knows.prefixes.note(about(f"{DOCUMENT} And who wrote it?").marks)
    assert choose([knows, idle], about(f"{DOCUMENT} When was it signed?"), 0.0) is knows


def test_does_not_queue_for_a_short_beginning() -> None:
    """What is cached is weighed against the work that waits before it."""
    knows, idle = Replica("knows", in_use=2, work=12_000), Replica("idle")
    knows.prefixes.note(about(DOCUMENT).marks)
    assert choose([knows, idle], about(DOCUMENT), 0.0) is idle


def test_hot_prompt_overflows() -> None:
    """One prompt that everybody sends does not fill one replica while others idle."""
    three = [Replica(f"replica-{n}", slots=6) for n in range(3)]
    for _ in range(12):
        chosen = choose(three, about(DOCUMENT), 0.0)
        assert chosen is not None
        take(chosen, about(DOCUMENT, answer=0.0))
    assert max(r.in_use for r in three) <= 5
    assert min(r.in_use for r in three) >= 3
