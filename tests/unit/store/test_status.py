"""What the status page knows, on a real database and a real list of replicas."""

from pathlib import Path

import msgspec
import pytest
from tests.unit.store.test_calls import ANSWERED, DAY

from oxlo.fleet import registry
from oxlo.fleet.registry import Replica, ReplicaList, ReplicaState
from oxlo.store import calls, readiness
from oxlo.store.calls import Call
from oxlo.store.database import Database
from oxlo.store.percentiles import Spread
from oxlo.store.readiness import Looks
from oxlo.store.status import Board
from oxlo.testing.clock import FakeClock

NOON = DAY * 86400 + 43_200.0


def call(number: int, **fields: object) -> Call:
    base: dict[str, object] = {
        "id": f"req_{number}", "admitted_at": NOON + number, "first_ms": float(number),
        "total_ms": 10.0 * number, "replica": "m-1",
    }  # fmt: skip
    return msgspec.structs.replace(ANSWERED, **base | fields)


def replica(state: ReplicaState, model: str = "m", **fields: object) -> Replica:
    base: dict[str, object] = {
        "id": f"{model}-1", "model": model, "kind": "upstream", "dialect": "openai",
        "address": "http://127.0.0.1:9", "engine_model": model, "slots": 1,
        "context_length": 1, "state": state, "since": NOON,
    }  # fmt: skip
    return msgspec.convert(base | fields, Replica)


class Watched:
    """A board, with the clock and the replicas that it sees."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.clock = FakeClock(NOON + 3600)
        self.file = folder / "replicas.json"
        self.board = Board(database, self.file, self.clock)

    def list(self, *replicas: Replica) -> None:
        registry.write(self.file, ReplicaList(self.clock(), replicas))

    async def save(self, *batch: Call) -> None:
        async with self.database.write() as db:
            await calls.save(db, batch)


@pytest.fixture
def watched(database: Database, tmp_path: Path) -> Watched:
    """A board on a fresh database."""
    return Watched(database, tmp_path)


async def test_looks_are_added_up(watched: Watched) -> None:
    """Once a minute each, by the day; a look straight after another adds nothing."""
    for ready in (True, True, False):
        watched.list(replica(ReplicaState.READY if ready else ReplicaState.SICK))
        await watched.board.look()
        await watched.board.look()
        watched.clock.advance(60)
    async with watched.database.read() as db:
        assert await readiness.by_day(db, DAY) == {"m": {DAY: Looks(3, 2)}}
    (model,) = (await watched.board.read()).models
    days = [(day.day, day.checks, day.uptime) for day in model.days]
    assert days == [("2024-10-04", 3, 0.666667)]


async def test_minimum_is_told(watched: Watched) -> None:
    """As many as the fleet says have to be ready; 1 where it says nothing."""
    ready = replica(ReplicaState.READY), replica(ReplicaState.READY, "other")
    registry.write(watched.file, ReplicaList(0.0, ready, {"m": 2}))
    models = (await watched.board.read()).models
    found = [(m.id, m.replicas_ready, m.replicas_minimum) for m in models]
    assert found == [("m", 1, 2), ("other", 1, 1)]


async def test_what_is_being_set_up_is_not_down(watched: Watched) -> None:
    """A model is looked at from the moment on when it was ready for the first time."""
    for state in (ReplicaState.STARTING, ReplicaState.READY, ReplicaState.SICK):
        watched.list(replica(state))
        watched.clock.advance(60)
        await watched.board.look()
    async with watched.database.read() as db:
        assert await readiness.by_day(db, DAY) == {"m": {DAY: Looks(checks=2, ready=1)}}


async def test_looks_are_forgotten(watched: Watched) -> None:
    """Hours before the moment go, the others stay."""
    watched.list(replica(ReplicaState.READY))
    await watched.board.look()
    async with watched.database.write() as db:
        assert await readiness.delete_before(db, watched.clock() - 3600) == 0
        assert await readiness.delete_before(db, watched.clock() + 3600) == 1


async def test_last_day(watched: Watched) -> None:
    """Percentiles by nearest rank over answered calls, faults of ours as the error rate."""
    watched.list(replica(ReplicaState.READY))
    answered = [call(n) for n in range(1, 101)]
    faults = [call(200 + n, outcome=o) for n, o in enumerate(("failed", "timed_out", "lost"))]
    theirs = [call(300 + n, outcome=o) for n, o in enumerate(("refused", "cancelled", "abandoned"))]
    old = call(400, admitted_at=watched.clock() - 86_401, outcome="failed")
    await watched.save(*answered, *faults, *theirs, old)
    (model,) = (await watched.board.read()).models
    assert model.last_24h.requests == 103
    assert model.last_24h.error_rate == pytest.approx(3 / 103, abs=1e-6)
    assert model.last_24h.first_token_ms == Spread(50.0, 95.0)
    assert model.last_24h.total_ms == Spread(500.0, 950.0)


async def test_first_after_start(watched: Watched) -> None:
    """The first stream after a start beside the median of the next ones, without their queue."""
    watched.list(replica(ReplicaState.READY, first_ms=30.0, warm_ms=20.0))
    early = call(1, admitted_at=NOON - 1, first_ms=999.0)
    whole = call(2, stream=False, first_ms=888.0)
    streams = [call(n, first_ms=float(n), queue_ms=1.0) for n in range(10, 40)]
    await watched.save(early, whole, *streams)
    (model,) = (await watched.board.read()).models
    assert (model.warmth.first_ms, model.warmth.later_ms) == (9.0, 20.0)
    assert (model.warmth.warm_up_first_ms, model.warmth.warm_up_later_ms) == (30.0, 20.0)


@pytest.mark.parametrize(
    ("states", "overall"),
    [
        ([], "empty"),
        (["ready", "ready"], "operational"),
        (["ready", "warming"], "degraded"),
        (["sick", "starting"], "down"),
    ],
)
async def test_overall(watched: Watched, states: list[str], overall: str) -> None:
    """The whole is as well as its models are."""
    listed = [replica(ReplicaState(state), f"m{n}") for n, state in enumerate(states)]
    watched.list(*listed)
    assert (await watched.board.read()).state == overall


async def test_read_at_most_every_ten_seconds(watched: Watched) -> None:
    """Many readers cost one look at the database."""
    first = await watched.board.read()
    watched.list(replica(ReplicaState.READY))
    watched.clock.advance(9)
    assert await watched.board.read() is first
    watched.clock.advance(1)
    assert (await watched.board.read()).state == "operational"
