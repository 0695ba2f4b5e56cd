"""Helpers for tests of gateways that share their limits in a real Valkey."""

import asyncio

from tests.gateway.conftest import Platform, Start
from tests.valkeys import ValkeyServer
from tests.waiting import PATIENCE

from oxlo import catalogue, plans
from oxlo.gateway.gateway import Gateway
from oxlo.gateway.http import protocols
from oxlo.ledger.shared import SharedLedger


async def join(platform: Platform, name: str = "g2") -> Platform:
    """Another gateway of the same installation."""
    settings, loop = platform.gateway.settings, asyncio.get_running_loop()
    models = catalogue.load(settings.catalogue_dir)
    gateway = Gateway(settings, models, plans.load(), loop, name)
    gateway.recover()
    await gateway.connect()
    gateway.backends.refresh()
    listener = await loop.create_server(protocols(gateway.server), "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    other = Platform(gateway, platform.control, platform.engine, port)

    async def end() -> None:
        for client in other.clients:
            client.leave()
        listener.close()
        await gateway.drain()
        gateway.close()
        await gateway.disconnect()

    platform.on_end(end)
    return other


async def begin(start: Start, server: ValkeyServer, **fields: object) -> Platform:
    """A gateway that is connected, and has the patience of a busy machine."""
    platform = await start(**{"valkey_url": server.url, "valkey_timeout": PATIENCE} | fields)
    await platform.gateway.connect()
    return platform


def ledger(platform: Platform) -> SharedLedger:
    found = platform.gateway.ledger
    assert isinstance(found, SharedLedger)
    return found


async def beat(platform: Platform) -> None:
    """The gateway's heartbeat, faster."""
    while True:
        platform.gateway.sweep()
        await asyncio.sleep(0.05)


async def used(platform: Platform, key: str) -> tuple[int, int, int]:
    """Day, minute and leases, as reported to the account."""
    said = (await platform.call("GET", "/v1/limits", key=key)).json()
    return said["day"]["used"], said["minute"]["used"], said["concurrency"]["in_use"]


async def leases(platform: Platform) -> list[int]:
    """Leases of slots at each of the replicas `double-0` and `double-1`."""
    client, site = ledger(platform).client, platform.gateway.settings.site
    replicas = ("double-0", "double-1")
    taken = [f"oxlo:slots:{{{site}/double}}:taken:{name}".encode() for name in replicas]
    return [await client.ask(b"ZCARD", key) for key in taken]


def queued(platform: Platform) -> int:
    return sum(len(group.queue) for group in platform.gateway.backends.groups())


async def slots_taken(platform: Platform) -> int:
    """Slots that Valkey believes to be in use."""
    client = ledger(platform).client
    keys = await client.ask(b"KEYS", b"oxlo:slots:*:taken:*")
    return sum([int(await client.ask(b"ZCARD", key)) for key in keys])
