"""Who is next when every slot of a model is taken; pure, with the clock passed in.

    priority   a higher plan goes first
    fairness   inside a priority, accounts share by predicted work, not by number of calls: each
               call gets a tag, the work that its account was given before it (start-time fair
               queueing), and the lowest tag goes first
    age        a call of priority p is due after (4 - p) x 10 seconds; while any call is due, of any
               four slots one at least goes to the one that has been due longest

So nobody starves: a call with k calls due before it is served within 4 x (k + 1) slots of its own
moment, whatever arrives. And nobody gains by waiting in numbers: the other three of four slots keep
to priority and fairness, however many calls are due.
"""

import math
from collections.abc import Hashable, Iterator
from operator import attrgetter
from typing import Generic, TypeVar

from oxlo.errors import QueueFull
from oxlo.plans import Priority

#: Seconds for each priority that a call stands below "more than dedicated".
DUE_STEP = 10.0
#: Seconds after which age alone brings a call forward, by priority.
DUE_AFTER = tuple((max(Priority) + 1 - priority) * DUE_STEP for priority in Priority)
#: One slot of so many goes to the call that has been due longest.
DUE_SHARE = 4

_NEWEST = 0.2
_LONGEST_WAIT = 60
#: Accounts in a level above which those that are level with newcomers are forgotten.
_REMEMBERED = 1_024

_tag = attrgetter("tag")
_due_at = attrgetter("due_at")

Item = TypeVar("Item", bound=Hashable)


class Waiting(Generic[Item]):
    """A call that waits for a slot."""

    __slots__ = ("account", "cost", "enqueued_at", "item", "priority", "tag", "wait_limit")

    def __init__(
        self,
        *,
        priority: Priority,
        account: str,
        cost: float,
        enqueued_at: float,
        wait_limit: float,
        item: Item,
    ) -> None:
        """`cost` is predicted work in any unit, above 0; times are seconds of the queue's clock."""
        self.priority = priority
        self.account = account
        self.cost = cost
        self.enqueued_at = enqueued_at
        self.wait_limit = wait_limit
        self.item = item
        #: Work that the account was given before this call; the queue sets it.
        self.tag = 0.0

    @property
    def due_at(self) -> float:
        """When age alone brings it forward."""
        return self.enqueued_at + DUE_AFTER[self.priority]

    @property
    def ends_at(self) -> float:
        """When it stops waiting."""
        return self.enqueued_at + self.wait_limit


class _Level(Generic[Item]):
    """The calls of one priority, in order of arrival, and what their accounts were given.

    Choosing is a scan: the queue is bounded, so this costs microseconds, and only while a model
    is saturated; in return, anyone may leave at any time without a trace.
    """

    def __init__(self) -> None:
        self.calls: dict[Item, Waiting[Item]] = {}
        self._given: dict[str, float] = {}
        #: Tag of the call that was served last: a newcomer starts level with it.
        self._served = 0.0

    def push(self, waiting: Waiting[Item]) -> None:
        waiting.tag = max(self._served, self._given.get(waiting.account, 0.0))
        self._given[waiting.account] = waiting.tag + waiting.cost
        self.calls[waiting.item] = waiting

    def oldest(self) -> Waiting[Item]:
        return next(iter(self.calls.values()))

    def fairest(self) -> Waiting[Item]:
        """The call whose account was given least, and the time that this makes it for newcomers."""
        fairest = min(self.calls.values(), key=_tag)
        self._served = fairest.tag
        if len(self._given) > _REMEMBERED:
            self._given = {a: given for a, given in self._given.items() if given > self._served}
        return fairest

    def place(self, item: Item) -> int:
        return sorted(self.calls.values(), key=_tag).index(self.calls[item]) + 1

    def remove(self, item: Item) -> None:
        del self.calls[item]
        if not self.calls:  # nobody waits, so nobody is ahead
            self._given.clear()
            self._served = 0.0


class ModelQueue(Generic[Item]):
    """The calls that wait for one model."""

    def __init__(self, limit: int) -> None:
        """At most `limit` calls wait."""
        self._limit = limit
        self._levels: list[_Level[Item]] = [_Level() for _ in Priority]
        self._size = 0
        self._slots_since_due = 0
        self._served_at: float | None = None
        #: Mean time between two slots.
        self._slot_seconds = 1.0

    def __len__(self) -> int:
        return self._size

    def push(self, waiting: Waiting[Item]) -> None:
        """Let a call wait. Raises QueueFull, with the time that those here will take."""
        if self._size >= self._limit:
            raise QueueFull(retry_after=self.retry_after())
        self._levels[waiting.priority].push(waiting)
        self._size += 1

    def pop(self, now: float) -> Item | None:
        """The call that a free slot goes to; None when nobody waits."""
        waiting = self._next(now)
        if waiting is None:
            return None
        self._levels[waiting.priority].remove(waiting.item)
        self._size -= 1
        self._measure(now)
        return waiting.item

    def serve(self, item: Item, now: float) -> None:
        """A call was given a slot by somebody else's choice. Harmless when it did not wait."""
        for level in self._levels:
            if item in level.calls:
                level.remove(item)
                self._size -= 1
                self._measure(now)

    def remove(self, item: Item) -> None:
        """A call no longer waits. Harmless when it was served."""
        for level in self._levels:
            if item in level.calls:
                level.remove(item)
                self._left()

    def expire(self, now: float) -> list[Item]:
        """Take out the calls whose wait is over."""
        over = [waiting.item for waiting in self if waiting.ends_at <= now]
        for item in over:
            self.remove(item)
        return over

    def place(self, item: Item, now: float) -> int:
        """In how many slots it is this call's turn, if nobody else came; 1 is next."""
        above = 0
        for level in reversed(self._levels):
            if item in level.calls:
                return min(above + level.place(item), self._due_place(level.calls[item], now))
            above += len(level.calls)
        raise KeyError(item)

    def expected_wait(self, item: Item, now: float) -> float:
        """Seconds until it is this call's turn, at the pace of the latest slots."""
        return self.place(item, now) * self._slot_seconds

    def outlook(self, priority: Priority) -> tuple[int, float]:
        """The place and the wait, in seconds, of a call that came now and gained by no fairness."""
        place = 1 + sum(len(level.calls) for level in self._levels[priority:])
        return place, place * self._slot_seconds

    def retry_after(self) -> int:
        """Whole seconds until those who wait now are served, at the pace of the latest slots."""
        return min(_LONGEST_WAIT, max(1, math.ceil(self._size * self._slot_seconds)))

    def __iter__(self) -> Iterator[Waiting[Item]]:
        """All who wait, lowest priority first."""
        for level in self._levels:
            yield from level.calls.values()

    def _next(self, now: float) -> Waiting[Item] | None:
        busy = [level for level in self._levels if level.calls]
        if not busy:
            return None
        due = min((level.oldest() for level in busy), key=_due_at)
        self._slots_since_due += 1
        is_due = due.due_at <= now
        chosen = due if is_due and self._slots_since_due >= DUE_SHARE else busy[-1].fairest()
        if is_due and chosen is due:  # by age, or because it was its turn anyway
            self._slots_since_due = 0
        return chosen

    def _due_place(self, waiting: Waiting[Item], now: float) -> int:
        """The place that age alone gives, which is last of all until the call is due."""
        if waiting.due_at > now:
            return self._size
        return DUE_SHARE * (1 + sum(other.due_at < waiting.due_at for other in self))

    def _measure(self, now: float) -> None:
        if self._served_at is not None:
            self._slot_seconds += (now - self._served_at - self._slot_seconds) * _NEWEST
        self._served_at = now if self._size else None

    def _left(self) -> None:
        self._size -= 1
        if not self._size:
            self._served_at = None
