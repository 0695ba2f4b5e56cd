"""The platform's status, from the replica list, the calls and the readiness checks.

board = Board(database, settings.replicas_file, clock)
status = await board.read()       # at most ten seconds old
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from oxlo.fleet import registry
from oxlo.fleet.registry import Replica, ReplicaState
from oxlo.ledger.windows import DAY, day_of, iso
from oxlo.store import health, readiness
from oxlo.store.database import Database
from oxlo.store.health import Health, Start
from oxlo.store.percentiles import Spread
from oxlo.store.readiness import Looks

State = Literal["ready", "starting", "down"]
Overall = Literal["operational", "degraded", "down", "empty"]


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """One UTC day of a model: number of checks, and the share that found it ready."""

    #: Like `2026-11-26`.
    day: str
    checks: int
    uptime: float


class Warmth(msgspec.Struct, frozen=True, kw_only=True):
    """The first request after the latest start, and later ones, milliseconds."""

    #: The first warm-up request, and the median of the others; not client requests.
    warm_up_first_ms: float | None
    warm_up_later_ms: float | None
    #: Client requests: time to first token of the first stream, and the median of the next 20.
    first_ms: float | None
    later_ms: float | None


class LastDay(msgspec.Struct, frozen=True, kw_only=True):
    """The calls of the last 24 hours."""

    requests: int
    error_rate: float
    first_token_ms: Spread | None
    total_ms: Spread | None


class ModelStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One served model."""

    id: str
    state: State
    #: Since when it is in this state; None: unknown.
    since: str | None
    replicas: int
    replicas_ready: int
    #: Minimum number of ready replicas.
    replicas_minimum: int
    warmth: Warmth
    last_24h: LastDay
    #: Oldest first, without days that have no checks.
    days: tuple[Day, ...]


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The platform's status."""

    object: str = "status"
    state: Overall
    updated: str
    models: tuple[ModelStatus, ...]


class Board:
    """The status, cached for `MOST_AGE` seconds."""

    MOST_AGE = 10.0
    DAYS = 90

    def __init__(self, database: Database, replicas: Path, clock: Callable[[], float]) -> None:
        self._database = database
        self._replicas = replicas
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._read_at = float("-inf")
        self._status: Status

    async def read(self) -> Status:
        """The cached or current status. Raises DatabaseUnavailable."""
        async with self._one_at_a_time:
            now = self._clock()
            if not 0 <= now - self._read_at < self.MOST_AGE:
                self._status = await self._read(now)
                self._read_at = now
            return self._status

    async def look(self) -> None:
        """Record a readiness check; a job does this once a minute."""
        by_model, _ = await self._by_model()
        ready = {model: _state(replicas) == "ready" for model, replicas in by_model.items()}
        async with self._database.write() as db:
            await readiness.note(db, ready, self._clock())

    async def _by_model(self) -> tuple[dict[str, list[Replica]], dict[str, int]]:
        """Replicas by model, and minimum numbers of ready ones."""
        listed = await asyncio.to_thread(registry.read, self._replicas)
        by_model: dict[str, list[Replica]] = {}
        for replica in listed.replicas:
            by_model.setdefault(replica.model, []).append(replica)
        return by_model, listed.minimum

    async def _read(self, now: float) -> Status:
        by_model, minimum = await self._by_model()
        async with self._database.read() as db:
            days = await readiness.by_day(db, day_of(now) - self.DAYS + 1)
            healths = await health.since(db, now - DAY)
            starts = {
                newest.id: await health.start(db, newest.id, newest.since)
                for replicas in by_model.values()
                if (newest := _newest(replicas)) is not None
            }
        models = tuple(
            _model(
                name, replicas, minimum.get(name, 1), starts, healths.get(name), days.get(name, {})
            )
            for name, replicas in sorted(by_model.items())
        )
        return Status(state=_overall(models), updated=iso(now), models=models)


def _model(
    name: str,
    replicas: list[Replica],
    minimum: int,
    starts: Mapping[str, Start | None],
    calls: Health | None,
    days: Mapping[int, Looks],
) -> ModelStatus:
    state, newest = _state(replicas), _newest(replicas)
    return ModelStatus(
        id=name,
        state=state,
        since=_since(replicas, state),
        replicas=len(replicas),
        replicas_ready=sum(replica.state is ReplicaState.READY for replica in replicas),
        replicas_minimum=minimum,
        warmth=_warmth(newest, starts.get(newest.id) if newest else None),
        last_24h=_last_day(calls),
        days=tuple(
            Day(day=iso(day * DAY)[:10], checks=looks.checks, uptime=round(looks.uptime, 6))
            for day, looks in sorted(days.items())
        ),
    )


def _state(replicas: Iterable[Replica]) -> State:
    states = {replica.state for replica in replicas}
    if ReplicaState.READY in states:
        return "ready"
    return "starting" if states & {ReplicaState.STARTING, ReplicaState.WARMING} else "down"


def _since(replicas: Iterable[Replica], state: State) -> str | None:
    """Since when: if ready, since its first ready replica; otherwise since the last change."""
    ready = [r.since for r in replicas if r.state is ReplicaState.READY]
    moment = min(ready) if state == "ready" else max(r.since for r in replicas)
    return iso(moment) if moment else None


def _newest(replicas: Iterable[Replica]) -> Replica | None:
    """The replica that became ready last."""
    ready = [replica for replica in replicas if replica.state is ReplicaState.READY]
    return max(ready, key=lambda replica: replica.since, default=None)


def _warmth(newest: Replica | None, start: Start | None) -> Warmth:
    return Warmth(
        warm_up_first_ms=newest.first_ms if newest else None,
        warm_up_later_ms=newest.warm_ms if newest else None,
        first_ms=start.first_ms if start else None,
        later_ms=start.later_ms if start else None,
    )


def _last_day(calls: Health | None) -> LastDay:
    if calls is None:
        return LastDay(requests=0, error_rate=0.0, first_token_ms=None, total_ms=None)
    return LastDay(
        requests=calls.requests,
        error_rate=round(calls.errors / calls.requests, 6),
        first_token_ms=calls.first_ms,
        total_ms=calls.total_ms,
    )


def _overall(models: Iterable[ModelStatus]) -> Overall:
    states = [model.state for model in models]
    if not states:
        return "empty"
    if all(state == "ready" for state in states):
        return "operational"
    return "degraded" if "ready" in states else "down"
