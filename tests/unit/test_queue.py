from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxlo.errors import QueueFull
from oxlo.plans import Priority
from oxlo.queue import DUE_SHARE, DUE_STEP, ModelQueue, Waiting


def call(
    item: str,
    *,
    priority: Priority = Priority.HIGH,
    account: str = "a",
    cost: float = 1.0,
    at: float = 0.0,
    wait: float = 60.0,
) -> Waiting[str]:
    """A call that waits."""
    return Waiting(
        priority=priority, account=account, cost=cost, enqueued_at=at, wait_limit=wait, item=item
    )


def queue_of(*calls: Waiting[str], limit: int = 256) -> ModelQueue[str]:
    """A queue with these calls in it."""
    queue: ModelQueue[str] = ModelQueue(limit)
    for waiting in calls:
        queue.push(waiting)
    return queue


def order(queue: ModelQueue[str], now: float = 0.0) -> list[str | None]:
    """The items in the order in which slots would go to them."""
    return [queue.pop(now) for _ in range(len(queue))]


def test_empty_queue_has_nobody() -> None:
    """A free slot with nobody waiting stays free."""
    assert queue_of().pop(0.0) is None


def test_higher_plan_goes_first() -> None:
    """Dedicated, highest, high, best effort, whoever came first."""
    queue = queue_of(*(call(priority.name, priority=priority) for priority in Priority))
    assert order(queue) == ["DEDICATED", "HIGHEST", "HIGH", "BEST_EFFORT"]


def test_one_account_is_served_in_order() -> None:
    """An account's own calls keep their order, cheap or dear."""
    queue = queue_of(call("x", cost=9), call("y", cost=1), call("z", cost=5))
    assert order(queue) == ["x", "y", "z"]


def test_accounts_take_turns() -> None:
    """Who sends many calls at once does not push out who sends few."""
    many = [call(f"many{n}", account="many") for n in range(3)]
    queue = queue_of(*many, call("few0", account="few"), call("few1", account="few"))
    assert order(queue) == ["many0", "few0", "many1", "few1", "many2"]


def test_work_is_shared_not_calls() -> None:
    """Against calls ten times as dear, ten cheap ones go for each of them."""
    dear = [call(f"dear{n}", account="dear", cost=10) for n in range(2)]
    cheap = [call(f"cheap{n}", account="cheap") for n in range(12)]
    assert order(queue_of(*dear, *cheap)).index("dear1") == 11


def test_idle_account_saves_nothing_up() -> None:
    """A newcomer starts level with those who are served, not with a claim on the past."""
    queue = queue_of(*(call(f"old{n}", account="old") for n in range(6)))
    served = [queue.pop(0.0) for _ in range(3)]
    for n in range(3):
        queue.push(call(f"new{n}", account="new"))
    assert served == ["old0", "old1", "old2"]
    assert order(queue) == ["new0", "old3", "new1", "old4", "new2", "old5"]


def test_due_call_gets_its_share() -> None:
    """Once due, best effort gets every fourth slot beside a flood of dedicated calls."""
    queue = queue_of(*(call(f"low{n}", priority=Priority.BEST_EFFORT) for n in range(2)))
    for n in range(8):
        queue.push(call(f"top{n}", priority=Priority.DEDICATED, at=40.0))
    served = order(queue, now=4 * DUE_STEP)
    assert [n for n, item in enumerate(served, 1) if str(item).startswith("low")] == [4, 8]


def test_call_is_not_due_early() -> None:
    """Before its time, age does not count."""
    queue = queue_of(call("low", priority=Priority.BEST_EFFORT))
    for n in range(8):
        queue.push(call(f"top{n}", priority=Priority.DEDICATED, at=39.9))
    assert order(queue, now=39.9)[-1] == "low"


arrivals = st.lists(
    st.tuples(st.sampled_from(Priority), st.sampled_from("abc"), st.floats(0.1, 50)), max_size=4
)


@given(st.lists(arrivals, min_size=1, max_size=60))
def test_longest_wait_is_bounded(seconds: list[list[tuple[Priority, str, float]]]) -> None:
    """With k calls due before it, a due call is served within 4 x (k + 1) slots, come who may."""
    queue = queue_of()
    slots_left: dict[str, int] = {}
    for now, newcomers in enumerate(seconds):
        for number, (priority, account, cost) in enumerate(newcomers):
            name = f"{now}-{number}"
            queue.push(call(name, priority=priority, account=account, cost=cost, at=now))
        due = sorted((w for w in queue if w.due_at <= now), key=lambda w: w.due_at)
        for before, waiting in enumerate(due):
            slots_left.setdefault(waiting.item, DUE_SHARE * (before + 1))
        slots_left.pop(queue.pop(now) or "", None)
        slots_left = {item: left - 1 for item, left in slots_left.items()}
        assert min(slots_left.values(), default=1) > 0


@given(arrivals, arrivals)
def test_everyone_is_served_once(
    first: list[tuple[Priority, str, float]], second: list[tuple[Priority, str, float]]
) -> None:
    """Nobody is lost and nobody is served twice, whatever the mix."""
    queue = queue_of()
    for n, (priority, account, cost) in enumerate(first + second):
        queue.push(call(str(n), priority=priority, account=account, cost=cost))
    assert sorted(map(str, order(queue))) == sorted(map(str, range(len(first + second))))
    assert len(queue) == 0


@given(st.lists(st.tuples(st.sampled_from(Priority), st.sampled_from("abc"), st.floats(1, 9))))
def test_place_foretells_the_order(calls: list[tuple[Priority, str, float]]) -> None:
    """With no newcomers and nobody due, places are the order of service."""
    queue = queue_of()
    for n, (priority, account, cost) in enumerate(calls):
        queue.push(call(str(n), priority=priority, account=account, cost=cost))
    places = {str(n): queue.place(str(n), 0.0) for n in range(len(calls))}
    assert [places[str(item)] for item in order(queue)] == list(range(1, len(calls) + 1))


def test_place_of_a_due_call() -> None:
    """A due call is told the better of its two places."""
    queue = queue_of(call("low", priority=Priority.BEST_EFFORT))
    for n in range(20):
        queue.push(call(f"top{n}", priority=Priority.DEDICATED, at=40.0))
    assert (queue.place("low", 39.9), queue.place("low", 40.0)) == (21, DUE_SHARE)


def test_removed_call_is_gone() -> None:
    """Who left is not served; leaving twice does no harm."""
    queue = queue_of(call("x"), call("y"))
    queue.remove("x")
    queue.remove("x")
    assert (len(queue), order(queue)) == (1, ["y"])


def test_waits_end() -> None:
    """A call is taken out when its own wait is over, and not before."""
    queue = queue_of(call("short", wait=5.0), call("long", wait=10.0))
    assert queue.expire(4.9) == []
    assert queue.expire(5.0) == ["short"]
    assert (len(queue), queue.expire(10.0), len(queue)) == (1, ["long"], 0)


def test_full_queue_says_when() -> None:
    """Beyond its limit the queue refuses, with the time that those in it will take."""
    queue = queue_of(*(call(str(n)) for n in range(12)), limit=10 + 2)
    for n in range(4):
        queue.pop(n * 3.0)
    for n in range(4):
        queue.push(call(f"late{n}"))
    with pytest.raises(QueueFull) as refused:
        queue.push(call("one too many"))
    assert refused.value.retry_after == 24


def test_retry_after_follows_the_pace() -> None:
    """Slower slots mean longer waits; an idle time between two crowds is no pace."""
    queue = queue_of(*(call(str(n)) for n in range(30)))
    waits = []
    for n in range(3):
        queue.pop(n * 2.0)
        waits.append(queue.retry_after() / len(queue))
    assert all(later >= earlier for earlier, later in pairwise(waits))
    pace = queue.retry_after() / len(queue)
    order(queue, 4.0)
    queue.push(call("next day"))
    queue.pop(86_400.0)
    queue.push(call("x"))
    assert queue.retry_after() <= pace + 1


def test_expected_wait_is_place_times_pace() -> None:
    """Who waits is told in how many seconds it is their turn, as slots have come lately."""
    queue = queue_of(*(call(str(n), at=110.0) for n in range(60)))
    for n in range(40):
        queue.pop(n * 3.0)
    waits = [queue.expected_wait(str(n), 120.0) for n in range(40, 60)]
    assert waits == pytest.approx([3.0 * place for place in range(1, 21)], rel=0.01)


def test_forgotten_accounts_change_nothing() -> None:
    """In a long crowd of thousands of accounts, those level with newcomers are forgotten."""
    queue = queue_of(call("first", account="0"), call("heavy", account="h", cost=5_000))
    queue.push(call("heavy2", account="h"))
    for n in range(2_000):
        queue.push(call(f"n{n}", account=str(n)))
        queue.pop(0.0)
    served = order(queue)
    assert served[-1] == "heavy2"


def test_pace_of_slots_that_others_give() -> None:
    """Whoever chooses, the pace is that of the slots; who did not wait changes nothing."""
    ours, told = (queue_of(*(call(f"c{n}") for n in range(6))) for _ in range(2))
    for second in range(1, 5):
        item = ours.pop(second * 7.0)
        assert item is not None
        told.serve(item, second * 7.0)
        told.serve("stranger", second * 7.0)
    assert told.retry_after() == ours.retry_after()
    assert order(told) == order(ours)
