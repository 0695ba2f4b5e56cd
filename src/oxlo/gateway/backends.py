"""Replicas as the gateway sees them: grouped by model, with their load, breaker and queue."""

import asyncio
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import structlog

from oxlo.engines.dialect import Dialect
from oxlo.engines.dialects import dialect
from oxlo.engines.probe import PROBES
from oxlo.errors import Overloaded
from oxlo.fleet import registry, router
from oxlo.fleet.breaker import Breaker
from oxlo.fleet.pace import TOKEN_BYTES, Pace
from oxlo.fleet.prefixes import Prefixes
from oxlo.fleet.registry import Replica, ReplicaState
from oxlo.fleet.router import Demand
from oxlo.gateway.greeting import Greeting
from oxlo.gateway.upstream import Upstream
from oxlo.queue import ModelQueue

log = structlog.get_logger()

#: Tokens that the cache of an engine holds which does not say.
CACHE_TOKENS: Final = 1 << 18


class Backend:
    """One replica, and how it is doing."""

    __slots__ = (
        "breaker", "dialect", "greeting", "id", "in_use", "overflow", "prefixes", "ready",
        "replica", "slots", "upstream", "work",
    )  # fmt: skip

    def __init__(self, replica: Replica, loop: asyncio.AbstractEventLoop) -> None:
        self.id = replica.id
        self.in_use = 0
        #: What the calls in its slots were predicted to take, in tokens of prompt.
        self.work = 0.0
        self.prefixes = Prefixes((replica.cache_tokens or CACHE_TOKENS) * TOKEN_BYTES)
        self.breaker = Breaker()
        self.dialect: Dialect = dialect(replica.dialect)
        key = f"authorization: Bearer {replica.api_key}\r\n" if replica.api_key else ""
        self.upstream = Upstream(replica.address, loop, key)
        self.greeting = Greeting(self.upstream, PROBES[replica.dialect].path)
        self.update(replica)

    def update(self, replica: Replica) -> None:
        """Take over what the fleet says now."""
        self.replica = replica
        self.slots = replica.slots
        self.overflow = replica.overflow
        #: Whether the fleet says that it answers.
        self.ready = replica.state is ReplicaState.READY

    @property
    def broken_until(self) -> float:
        """Until when the breaker keeps calls away, by the clock that only grows."""
        return self.breaker.open_until

    def takes(self, now: float) -> bool:
        """Whether it may be sent calls: it is ready, and its quota is not used up."""
        return self.ready and self.breaker.left_until <= now

    def failed(self, now: float, left_alone: float) -> None:
        """An attempt failed: because it did, or because it wants to be left alone for a while."""
        if left_alone:
            log.info("replica.left_alone", replica=self.id, seconds=left_alone)
            self.breaker.leave(now + left_alone)
        else:
            self.breaker.failed(now)


#: What a call asks for of which nothing is known.
NOTHING: Final = Demand([], 1.0, 0.0)


class Slot:
    """A slot of a replica, taken for one call until it is given back."""

    __slots__ = ("_work", "backend")

    def __init__(self, backend: Backend, demand: Demand) -> None:
        self.backend = backend
        self._work = router.uncached(backend, demand)
        backend.in_use += 1
        backend.work += self._work
        if demand.marks:
            backend.prefixes.note(demand.marks)

    def release(self) -> None:
        """Give it back; once."""
        backend = self.backend
        backend.in_use -= 1
        backend.work = backend.work - self._work if backend.in_use else 0.0


class Group:
    """The replicas of one model, and those who wait for them."""

    def __init__(self, model: str, queue_limit: int) -> None:
        self.model = model
        self.backends: list[Backend] = []
        self.queue: ModelQueue[Any] = ModelQueue(queue_limit)
        self.pace = Pace()
        #: Whether any replica answers.
        self.ready = False
        #: Context that every replica can hold.
        self.context_length = 0
        #: Whether a replica refuses prompt + output over its context instead of stopping there.
        self.strict_context = False

    def update(self, backends: list[Backend]) -> None:
        """Take over a new list of replicas."""
        self.backends = backends
        self.ready = any(backend.ready for backend in backends)
        self.context_length = min((b.replica.context_length for b in backends), default=0)
        self.strict_context = any(b.dialect.strict_context for b in backends)

    def acquire(self, demand: Demand, now: float, avoid: Backend | None = None) -> "Slot | None":
        """Take a slot of the replica that the router chooses; None when all are taken."""
        candidates = [b for b in self.backends if b.takes(now) and b is not avoid]
        chosen = router.choose(candidates, demand, now)
        return None if chosen is None else Slot(chosen, demand)

    def has_slot(self, now: float) -> bool:
        """Whether a call would be given a slot."""
        usable = [b for b in self.backends if b.takes(now)]
        return router.choose(usable, NOTHING, now) is not None

    def check_quota(self, now: float, patience: float) -> None:
        """Whether any replica takes calls within `patience` seconds. Raises Overloaded."""
        left = min((b.breaker.left_until - now for b in self.backends if b.ready), default=0.0)
        if left > patience:
            raise Overloaded("The model's quota is used up for now.", retry_after=math.ceil(left))

    def warm_up(self) -> dict[str, float] | None:
        """Milliseconds of the first warm-up request, and of the later: those of the slowest."""
        warm = [b.replica for b in self.backends if b.ready and b.replica.first_ms is not None]
        if not warm:
            return None
        slowest = max(warm, key=lambda replica: replica.warm_ms or 0.0)
        first, later = slowest.first_ms or 0.0, slowest.warm_ms or 0.0
        return {"first_ms": round(first, 1), "later_ms": round(later, 1)}

    def answers(self, now: float) -> bool:
        """Whether a ready replica has not just been failing."""
        return any(b.takes(now) and b.broken_until <= now for b in self.backends)


class Backends:
    """Every model's group, kept in step with the replicas file."""

    def __init__(
        self,
        path: Path,
        queue_limit: int,
        loop: asyncio.AbstractEventLoop,
        freed: Callable[[Group], None],
    ) -> None:
        self._path = path
        self._queue_limit = queue_limit
        self._loop = loop
        self._freed = freed
        self._groups: dict[str, Group] = {}
        self._stamp: tuple[int, int] = (0, 0)

    def group(self, model: str) -> Group | None:
        """The replicas of a model."""
        return self._groups.get(model)

    def groups(self) -> Iterable[Group]:
        """All groups."""
        return self._groups.values()

    @property
    def known(self) -> bool:
        """Whether a fleet has said at all what runs here."""
        return self._stamp != (0, 0)

    def is_ready(self, model: str) -> bool:
        """Whether a model answers now."""
        group = self._groups.get(model)
        return group is not None and group.ready

    def refresh(self) -> None:
        """Read the replicas file again if it was replaced."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return
        stamp = (stat.st_mtime_ns, stat.st_ino)
        if stamp != self._stamp:
            self._stamp = stamp
            self.apply(registry.read(self._path).replicas)

    def apply(self, replicas: Iterable[Replica]) -> None:
        """Take over a list of replicas."""
        by_model: dict[str, list[Replica]] = {model: [] for model in self._groups}
        for replica in replicas:
            listed = by_model.setdefault(replica.model, [])
            if replica.dialect:  # else it never was: its model file cannot be understood
                listed.append(replica)
        for model, wanted in by_model.items():
            group = self._groups.setdefault(model, Group(model, self._queue_limit))
            # One that was never started here, for want of a card or of weights, speaks no dialect.
            group.update([self._backend(group, replica) for replica in wanted if replica.dialect])
            self._freed(group)

    def greet(self, clock: float) -> None:
        """See to it that a connection waits at each ready replica that has nothing to do."""
        for group in self._groups.values():
            for backend in group.backends:
                if backend.ready and not backend.in_use:
                    backend.greeting.tick(clock)

    def _backend(self, group: Group, replica: Replica) -> Backend:
        """The known backend if its process is the same one, else a new one."""
        known = next((b for b in group.backends if b.id == replica.id), None)
        if (
            known is None
            or known.replica.generation != replica.generation
            or (known.replica.address != replica.address)
        ):
            return Backend(replica, self._loop)
        if known.replica.state is not replica.state:
            log.info(
                "replica.state", replica=replica.id, state=replica.state, reason=replica.reason
            )
        known.update(replica)
        return known
