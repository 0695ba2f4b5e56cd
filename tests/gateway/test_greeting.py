"""Connections that are there before a call needs them."""

import msgspec
from tests.gateway.conftest import Start
from tests.waiting import until

from oxlo.fleet import registry
from oxlo.fleet.registry import ReplicaList, ReplicaState
from oxlo.gateway.greeting import AGAIN


async def test_call_finds_connection(start: Start) -> None:
    """A ready replica is greeted at once, and the first call goes out on that connection."""
    platform = await start(dialect="vllm")
    engine, gateway = platform.engine, platform.gateway
    gateway.sweep()
    (backend,) = gateway.backends.group("double").backends  # type: ignore[union-attr]
    await until(lambda: backend.upstream.idle == 1)
    assert engine.counts["GET /metrics"] == 1
    assert (await platform.chat()).status == 200
    assert backend.upstream.idle == 1
    assert engine.accepted == 1


async def test_lost_connection_is_replaced(start: Start) -> None:
    """An engine that closes what lies idle is greeted again, but not all the time."""
    platform = await start()
    gateway, clock = platform.gateway, 1000.0
    (backend,) = gateway.backends.group("double").backends  # type: ignore[union-attr]
    backend.greeting.tick(clock)
    await until(lambda: backend.upstream.idle == 1)
    platform.engine.hang_up()
    await until(lambda: backend.upstream.idle == 0)
    backend.greeting.tick(clock + AGAIN / 2)
    assert backend.greeting._request is None
    backend.greeting.tick(clock + AGAIN)
    await until(lambda: backend.upstream.idle == 1)
    assert platform.engine.counts["GET /v1/models"] == 2


async def test_silent_engine_is_given_up(start: Start) -> None:
    """A greeting that is not answered is dropped with the next one, and stops no call."""
    platform = await start()
    platform.engine.health = 0
    (backend,) = platform.gateway.backends.group("double").backends  # type: ignore[union-attr]
    backend.greeting.tick(1000.0)
    await until(lambda: platform.engine.counts["GET /v1/models"] == 1)
    assert (await platform.chat()).status == 200
    backend.upstream.close()
    backend.greeting.tick(1000.0 + AGAIN)
    await until(lambda: platform.engine.counts["GET /v1/models"] == 2)
    backend.greeting.close()


async def test_engine_that_never_started(start: Start) -> None:
    """An engine that nothing here can run is in the list, and stops no other's entry."""
    platform = await start()
    running = platform.gateway.backends.group("double").backends[0].replica  # type: ignore[union-attr]
    absent = msgspec.structs.replace(
        running, id="costly-1", model="costly", dialect="", state=ReplicaState.STOPPED
    )
    path = platform.gateway.settings.replicas_file
    registry.write(path, ReplicaList(2.0, (absent, running)))
    platform.gateway.backends.refresh()
    assert platform.gateway.backends.is_ready("double")
    assert not platform.gateway.backends.is_ready("costly")
    assert (await platform.chat()).status == 200
