"""The gateway process: sockets, signals, the sweep, and a clean end."""

import asyncio
import contextlib
import gc
import resource
import sys
from collections.abc import Callable

import structlog
import uvloop

from oxlo import catalogue, plans
from oxlo.gateway.admin import Admin
from oxlo.gateway.certificate import Certificate
from oxlo.gateway.gateway import Gateway
from oxlo.gateway.http import protocols
from oxlo.gateway.server import Server
from oxlo.settings import Settings, SettingsError

log = structlog.get_logger()

BACKLOG = 4096
#: A proxy that reuses its connections within this time loses no call when we shut down.
LAST_CALLS_SECONDS = 1.0
SWEEP_SECONDS = 0.5
#: Reserve for the journal, sockets, other processes and calls' files; each other connection may
#: need a second one, to an engine.
SPARE_DESCRIPTORS = 48
#: Below this a gateway would accept next to nothing.
LEAST_DESCRIPTORS = 64
#: New objects that trigger a garbage collection: as many as some 500 calls create.
YOUNG_OBJECTS = 20_000


#: Called in the event loop with the function that stops the gateway.
OnEnd = Callable[[Callable[[], None]], None]


def run(settings: Settings, name: str, on_end: OnEnd, *, share_port: bool = False) -> None:
    """Run until stopped; `on_end` gets the function that stops it.

    With `share_port`, other gateways may listen on the same port: the kernel spreads connections.
    """
    uvloop.run(_serve(settings, name, on_end, share_port=share_port))


async def _serve(settings: Settings, name: str, on_end: OnEnd, *, share_port: bool) -> None:
    most = connections(_descriptors())
    loop = asyncio.get_running_loop()
    models = catalogue.load(settings.catalogue_dir)
    gateway = Gateway(settings, models, plans.load(settings.plans_file), loop, name)
    gateway.recover()
    gateway.journal.begin()
    await gateway.connect()
    gateway.server.most = most
    stop = asyncio.Event()
    on_end(stop.set)
    gateway.start_draining = stop.set
    gateway.certificate = _certificate(settings)
    listeners = await _listen(gateway, share_port=share_port)
    sweeping = loop.create_task(_sweep(gateway))
    _freeze_heap()
    log.info("gateway.ready", address=f"{settings.host}:{settings.port}", name=name)
    await stop.wait()
    log.info("gateway.draining", calls=len(gateway.calls))
    for listener in listeners:
        listener.close()
    await _last_calls(gateway)
    await gateway.drain()
    sweeping.cancel()
    gateway.close()
    await gateway.disconnect()
    settings.gateway_socket(name).unlink(missing_ok=True)
    log.info("gateway.stopped")


async def _last_calls(gateway: Gateway) -> None:
    """Wait for requests that are already in transit on open connections."""
    gateway.server.part()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LAST_CALLS_SECONDS):
            await gateway.server.empty.wait()


def connections(descriptors: int) -> int:
    """The number of connections to accept with a limit of open files. Raises SettingsError."""
    if descriptors < LEAST_DESCRIPTORS:
        raise SettingsError(
            f"the limit of open files, {descriptors}, is too low for a gateway: allow "
            f"{LEAST_DESCRIPTORS} or more, better thousands (`ulimit -n`; systemd: LimitNOFILE=)"
        )
    return (descriptors - SPARE_DESCRIPTORS) // 2


def _descriptors() -> int:
    """Raise the limit of open files to the hard limit and return it; the low default is for select.

    macOS reports a higher limit than it grants; there the soft limit is kept.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if sys.platform == "darwin" or soft == hard:
        return soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


async def _listen(gateway: Gateway, *, share_port: bool) -> list[asyncio.AbstractServer]:
    loop, settings = asyncio.get_running_loop(), gateway.settings
    public = await loop.create_server(
        protocols(gateway.server),
        settings.host,
        settings.port,
        ssl=gateway.certificate.context if gateway.certificate else None,
        backlog=BACKLOG,
        reuse_port=share_port or None,
    )
    path = settings.gateway_socket(gateway.name)
    path.unlink(missing_ok=True)
    private = await loop.create_unix_server(protocols(_admin(gateway)), str(path))
    path.chmod(0o600)
    return [public, private]


def _admin(gateway: Gateway) -> Server:
    """The server on the admin socket."""
    budget, ids = gateway.server.budget, gateway.request_ids
    return Server(Admin(gateway), gateway.settings, budget, gateway.clock, ids.assign)


def _certificate(settings: Settings) -> Certificate | None:
    return Certificate(settings.tls_cert, settings.tls_key) if settings.tls_cert else None


async def _sweep(gateway: Gateway) -> None:
    """Run the periodic work; an unexpected error must not stop the next round."""
    while True:
        try:
            gateway.sweep()
            if gateway.certificate:
                gateway.certificate.follow()
        except Exception:
            log.exception("sweep.failed")
        await asyncio.sleep(SWEEP_SECONDS)


def _freeze_heap() -> None:
    """Exclude all existing objects from garbage collection, as they live as long as the process.

    Collections can be rare, too: objects created by requests form no reference cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)
