"""Replicas grouped by model, with their load, circuit breaker and queue."""

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

#: KV cache size in tokens assumed for engines that do not report it.
CACHE_TOKENS: Final = 1 << 18


class Backend:
    """One replica and its current state."""

    __slots__ = (
        "breaker", "dialect", "greeting", "id", "in_use", "overflow", "prefixes", "ready",
        "replica", "slots", "upstream", "work",
    )  # fmt: skip

    def __init__(self, replica: Replica, loop: asyncio.AbstractEventLoop) -> None:
        self.id = replica.id
        self.in_use = 0
        #: Predicted prompt tokens of the calls in its slots.
        self.work = 0.0
        self.prefixes = Prefixes((replica.cache_tokens or CACHE_TOKENS) * TOKEN_BYTES)
        self.breaker = Breaker()
        self.dialect: Dialect = dialect(replica.dialect)
        key = f"authorization: Bearer {replica.api_key}\r\n" if replica.api_key else ""
        self.upstream = Upstream(replica.address, loop, key)
        self.greeting = Greeting(self.upstream, PROBES[replica.dialect].path)
        self.update(replica)

    def update(self, replica: Replica) -> None:
        """Update from the replicas file."""
        self.replica = replica
        self.slots = replica.slots
        self.overflow = replica.overflow
        #: Whether the replicas file lists it as ready.
        self.ready = replica.state is ReplicaState.READY

    @property
    def broken_until(self) -> float:
        """When the circuit breaker closes again, in monotonic seconds."""
        return self.breaker.open_until

    def takes(self, now: float) -> bool:
        """Whether it accepts calls: it is ready and its quota is not used up."""
        return self.ready and self.breaker.left_until <= now

    def failed(self, now: float, left_alone: float) -> None:
        """Record a failed attempt; `left_alone`: seconds until its used-up quota resets, or 0."""
        if left_alone:
            log.info("replica.left_alone", replica=self.id, seconds=left_alone)
            self.breaker.leave(now + left_alone)
        else:
            self.breaker.failed(now)


#: The default demand of a call.
NOTHING: Final = Demand([], 1.0, 0.0)


class Slot:
    """A replica's slot, held by one call until released."""

    __slots__ = ("_work", "backend")

    def __init__(self, backend: Backend, demand: Demand) -> None:
        self.backend = backend
        self._work = router.uncached(backend, demand)
        backend.in_use += 1
        backend.work += self._work
        if demand.marks:
            backend.prefixes.note(demand.marks)

    def release(self) -> None:
        """Release the slot; its holder does so once."""
        backend = self.backend
        backend.in_use -= 1
        backend.work = backend.work - self._work if backend.in_use else 0.0


class Group:
    """The replicas of one model and the queue for them."""

    def __init__(self, model: str, queue_limit: int) -> None:
        self.model = model
        self.backends: list[Backend] = []
        self.queue: ModelQueue[Any] = ModelQueue(queue_limit)
        self.pace = Pace()
        #: Whether any replica is ready.
        self.ready = False
        #: Context length supported by all replicas.
        self.context_length = 0
        #: Whether a replica rejects prompt + output beyond its context instead of truncating.
        self.strict_context = False

    def update(self, backends: list[Backend]) -> None:
        """Update the list of replicas; running calls keep those that are gone."""
        for backend in self.backends:
            if backend not in backends:
                backend.upstream.close()
        self.backends = backends
        self.ready = any(backend.ready for backend in backends)
        self.context_length = min((b.replica.context_length for b in backends), default=0)
        self.strict_context = any(b.dialect.strict_context for b in backends)

    def acquire(self, demand: Demand, now: float, avoid: Backend | None = None) -> "Slot | None":
        """Acquire a slot of the replica chosen by the router; None if all are taken."""
        candidates = [b for b in self.backends if b.takes(now) and b is not avoid]
        chosen = router.choose(candidates, demand, now)
        return None if chosen is None else Slot(chosen, demand)

    def has_slot(self, now: float) -> bool:
        """Whether `acquire` would succeed."""
        usable = [b for b in self.backends if b.takes(now)]
        return router.choose(usable, NOTHING, now) is not None

    def check_quota(self, now: float, patience: float) -> None:
        """Check that a replica accepts calls within `patience` seconds. Raises Overloaded."""
        left = min((b.breaker.left_until - now for b in self.backends if b.ready), default=0.0)
        if left > patience:
            raise Overloaded("The model's quota is used up for now.", retry_after=math.ceil(left))

    def warm_up(self) -> dict[str, float] | None:
        """Milliseconds of the first and of later warm-up requests at the slowest replica."""
        warm = [b.replica for b in self.backends if b.ready and b.replica.first_ms is not None]
        if not warm:
            return None
        slowest = max(warm, key=lambda replica: replica.warm_ms or 0.0)
        first, later = slowest.first_ms or 0.0, slowest.warm_ms or 0.0
        return {"first_ms": round(first, 1), "later_ms": round(later, 1)}

    def answers(self, now: float) -> bool:
        """Whether a ready replica's circuit breaker is closed."""
        return any(b.takes(now) and b.broken_until <= now for b in self.backends)


class Backends:
    """The replicas of all models, kept in sync with the replicas file."""

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
        """Whether the fleet has published any replicas file yet."""
        return self._stamp != (0, 0)

    def is_ready(self, model: str) -> bool:
        """Whether a model is ready."""
        group = self._groups.get(model)
        return group is not None and group.ready

    def refresh(self) -> None:
        """Reload the replicas file if it was replaced."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return
        stamp = (stat.st_mtime_ns, stat.st_ino)
        if stamp != self._stamp:
            self._stamp = stamp
            self.apply(registry.read(self._path).replicas)

    def apply(self, replicas: Iterable[Replica]) -> None:
        """Apply a list of replicas."""
        by_model: dict[str, list[Replica]] = {model: [] for model in self._groups}
        for replica in replicas:
            by_model.setdefault(replica.model, []).append(replica)
        for model, listed in by_model.items():
            group = self._groups.setdefault(model, Group(model, self._queue_limit))
            # A replica that was never started, for lack of a GPU or weights, has no dialect.
            group.update([self._backend(group, replica) for replica in listed if replica.dialect])
            self._freed(group)

    def greet(self, clock: float) -> None:
        """Keep a warm connection open to each idle ready replica."""
        for group in self._groups.values():
            for backend in group.backends:
                if backend.ready and not backend.in_use:
                    backend.greeting.tick(clock)

    def _backend(self, group: Group, replica: Replica) -> Backend:
        """The known backend if its process is unchanged, else a new one."""
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
