"""The queue of a model whose slots are all in use. Pure; the clock is passed in.

    priority   higher plans go first
    fairness   within a priority, accounts share by predicted work, not by number of requests: each
               request is tagged with the work that its account has received before (start-time fair
               queueing), and the lowest tag goes first
    aging      a request of priority p is due after (4 - p) x 10 seconds; while any is due, at least
               one of four slots goes to the one that has been due the longest

So there is no starvation: a request with k others due before it is served within 4 x (k + 1) slots
of becoming due, whatever arrives. And sending many requests gains nothing: the other three of four
slots keep to priority and fairness, however many are due.
"""

import math
from collections.abc import Hashable, Iterator
from operator import attrgetter
from typing import Generic, TypeVar

from oxlo.errors import QueueFull
from oxlo.plans import Priority

#: Seconds of waiting per step of priority until a request is due.
DUE_STEP = 10.0
#: Seconds until a request is due, by priority.
DUE_AFTER = tuple((max(Priority) + 1 - priority) * DUE_STEP for priority in Priority)
#: One of this many slots goes to the request that has been due the longest.
DUE_SHARE = 4

_NEWEST = 0.2
_LONGEST_WAIT = 60
#: Above this many accounts in a level, those without an advantage or debt are dropped.
_REMEMBERED = 1_024

_tag = attrgetter("tag")
_due_at = attrgetter("due_at")

Item = TypeVar("Item", bound=Hashable)


class Waiting(Generic[Item]):
    """A request that waits for a slot."""

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
        #: Work that the account has received before; set by the queue.
        self.tag = 0.0

    @property
    def due_at(self) -> float:
        """When it becomes due."""
        return self.enqueued_at + DUE_AFTER[self.priority]

    @property
    def ends_at(self) -> float:
        """When its wait times out."""
        return self.enqueued_at + self.wait_limit


class _Level(Generic[Item]):
    """The requests of one priority in order of arrival, and the work of their accounts.

    Choosing is a linear scan. The queue is bounded, so this takes microseconds, and only while a
    model is saturated; in return, removal at any time is trivial.
    """

    def __init__(self) -> None:
        self.calls: dict[Item, Waiting[Item]] = {}
        self._given: dict[str, float] = {}
        #: Tag of the request served last, at which new accounts start.
        self._served = 0.0

    def push(self, waiting: Waiting[Item]) -> None:
        waiting.tag = max(self._served, self._given.get(waiting.account, 0.0))
        self._given[waiting.account] = waiting.tag + waiting.cost
        self.calls[waiting.item] = waiting

    def oldest(self) -> Waiting[Item]:
        return next(iter(self.calls.values()))

    def fairest(self) -> Waiting[Item]:
        """The request whose account has received the least work, and the new virtual time."""
        fairest = min(self.calls.values(), key=_tag)
        self._served = fairest.tag
        if len(self._given) > _REMEMBERED:
            self._given = {a: given for a, given in self._given.items() if given > self._served}
        return fairest

    def place(self, item: Item) -> int:
        return sorted(self.calls.values(), key=_tag).index(self.calls[item]) + 1

    def remove(self, item: Item) -> None:
        del self.calls[item]
        if not self.calls:  # the queue is empty, so no account has an advantage
            self._given.clear()
            self._served = 0.0


class ModelQueue(Generic[Item]):
    """The waiting requests of one model."""

    def __init__(self, limit: int) -> None:
        """At most `limit` requests may wait."""
        self._limit = limit
        self._levels: list[_Level[Item]] = [_Level() for _ in Priority]
        self._size = 0
        self._slots_since_due = 0
        self._served_at: float | None = None
        #: Mean seconds between free slots.
        self._slot_seconds = 1.0

    def __len__(self) -> int:
        return self._size

    def push(self, waiting: Waiting[Item]) -> None:
        """Add a request. Raises QueueFull, with an estimate of when to retry."""
        if self._size >= self._limit:
            raise QueueFull(retry_after=self.retry_after())
        self._levels[waiting.priority].push(waiting)
        self._size += 1

    def pop(self, now: float) -> Item | None:
        """Remove and return the next request; None if the queue is empty."""
        waiting = self._next(now)
        if waiting is None:
            return None
        self._levels[waiting.priority].remove(waiting.item)
        self._size -= 1
        self._measure(now)
        return waiting.item

    def serve(self, item: Item, now: float) -> None:
        """Record that a request got a slot elsewhere. Does nothing if it is not queued."""
        for level in self._levels:
            if item in level.calls:
                level.remove(item)
                self._size -= 1
                self._measure(now)

    def remove(self, item: Item) -> None:
        """Remove a request. Does nothing if it is not queued."""
        for level in self._levels:
            if item in level.calls:
                level.remove(item)
                self._left()

    def expire(self, now: float) -> list[Item]:
        """Remove and return the requests whose wait has timed out."""
        over = [waiting.item for waiting in self if waiting.ends_at <= now]
        for item in over:
            self.remove(item)
        return over

    def place(self, item: Item, now: float) -> int:
        """The position of a request if no others arrive; 1 is next."""
        above = 0
        for level in reversed(self._levels):
            if item in level.calls:
                return min(above + level.place(item), self._due_place(level.calls[item], now))
            above += len(level.calls)
        raise KeyError(item)

    def expected_wait(self, item: Item, now: float) -> float:
        """Estimated wait of a request in seconds, at the recent rate of free slots."""
        return self.place(item, now) * self._slot_seconds

    def outlook(self, priority: Priority) -> tuple[int, float]:
        """Position and estimated wait (seconds) of a request that would arrive now."""
        place = 1 + sum(len(level.calls) for level in self._levels[priority:])
        return place, place * self._slot_seconds

    def retry_after(self) -> int:
        """Whole seconds until all waiting requests are served, at the recent rate of free slots."""
        return min(_LONGEST_WAIT, max(1, math.ceil(self._size * self._slot_seconds)))

    def __iter__(self) -> Iterator[Waiting[Item]]:
        """All waiting requests, lowest priority first."""
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
        if is_due and chosen is due:  # whether by aging or by regular order
            self._slots_since_due = 0
        return chosen

    def _due_place(self, waiting: Waiting[Item], now: float) -> int:
        """The position by aging alone; the last one until the request is due."""
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
