"""The local fleet: all engines of this machine, and the replica list for gateways."""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import msgspec
import structlog

from oxlo.catalogue import Catalogue
from oxlo.engines.base import CannotLaunch, EngineSpec, Launch
from oxlo.engines.kinds import kind
from oxlo.fleet import minimum, orders, registry
from oxlo.fleet.assign import Engine, assign
from oxlo.fleet.backoff import Backoff
from oxlo.fleet.host import EngineHost
from oxlo.fleet.orders import CannotRestart
from oxlo.fleet.registry import Replica, ReplicaList, ReplicaState
from oxlo.fleet.starter import least, wanted
from oxlo.fleet.turns import Turns
from oxlo.hardware import machine
from oxlo.hardware.sizing import Machine
from oxlo.settings import Settings
from oxlo.weights import Stock, WeightsError

log = structlog.get_logger("oxlo.fleet")

#: How long a replaced engine may take for its running requests, seconds.
_PATIENCE = 900.0
#: Seconds until a list that could not be written is written again.
_AGAIN_SECONDS = 1.0
Launcher = Callable[[Engine, Settings, Machine], Launch]

#: States that settle whether a new engine works.
_SETTLED = (ReplicaState.READY, ReplicaState.SICK, ReplicaState.STOPPED)


class LocalFleet:
    """Hosts for the chosen models; `run` returns after `stop`."""

    def __init__(
        self,
        catalogue: Catalogue,
        settings: Settings,
        model_ids: Iterable[str],
        here: Machine | None = None,
        launcher: Launcher | None = None,
    ) -> None:
        """`here` is what the engines share (None: this machine); `launcher` overrides `launch`."""
        self._launch = launcher or launch
        self._catalogue = catalogue
        self._models = [catalogue.resolve(model_id) for model_id in model_ids]
        self._settings = settings
        self._here = here or machine.here(settings.visible_gpus)
        self._logs = settings.logs_dir
        #: The part of the machine for each CPU engine.
        self._part = self._here
        self._replicas: dict[str, Replica] = {}
        self._generations: dict[str, int] = {}
        self._engines: dict[str, Engine] = {}
        #: Engines that cannot be launched yet.
        self._waiting: dict[str, Engine] = {}
        self._turns = Turns()
        #: One restart at a time: two new engines beside the old ones might not fit in memory.
        self._restarting = asyncio.Lock()
        self._successors: list[EngineHost] = []
        self._stopping = asyncio.Event()
        #: Minimum of ready engines by model, also during replacement.
        self._least: dict[str, int] = {}
        self._watch = minimum.Watch({})
        self._changes = asyncio.Event()
        #: The next attempt to write the list, after a failed one.
        self._retry: asyncio.TimerHandle | None = None
        self.hosts: dict[str, EngineHost] = {}

    @property
    def replicas(self) -> tuple[Replica, ...]:
        """The list as last written."""
        return tuple(self._replicas.values())

    async def run(self) -> None:
        """Start all engines, keep them running, and finally stop them."""
        self._prepare()
        self._publish()
        for host in self.hosts.values():
            host.start()
        looking = asyncio.create_task(self._look_again())
        try:
            async with orders.taken(self, self._settings.fleet_socket):
                await self._stopping.wait()
        finally:
            looking.cancel()
            drain = self._settings.drain_seconds
            hosts = [*self.hosts.values(), *self._successors]
            await asyncio.gather(*(host.stop(drain) for host in hosts))

    def stop(self) -> None:
        """Make `run` return."""
        self._stopping.set()

    def _prepare(self) -> None:
        self._settings.prepare()
        before = {r.id: r for r in registry.read(self._settings.replicas_file).replicas}
        counts = wanted(self._settings, self._catalogue)
        minimum_counts = least(self._settings, self._catalogue)
        self._least = {model.id: minimum_counts.get(model.id, 1) for model in self._models}
        self._watch = minimum.Watch(self._least)
        engines = assign(self._models, self._here.gpus, counts, self._least)
        self._part = self._here.shared(sum(engine.on_cpu for engine in engines))
        for engine in engines:
            earlier = before.get(engine.replica)
            self._generations[engine.replica] = earlier.generation + 1 if earlier else 1
            try:
                self._add(engine, self._launch(engine, self._settings, self._part))
            except CannotLaunch as reason:
                self._cannot(engine, str(reason))

    async def _look_again(self) -> None:
        """Retry engines that could not be launched: their weights may have been fetched since."""
        backoff = Backoff()
        while waiting := [e for e in self._waiting.values() if e.variant]:
            await asyncio.sleep(backoff.failed(0.0))
            for engine in waiting:
                try:
                    ready = await asyncio.to_thread(
                        self._launch, engine, self._settings, self._part
                    )
                except CannotLaunch as reason:
                    self._cannot(engine, str(reason))
                else:
                    self._add(engine, ready).start()

    async def restart(self, model: str, report: Callable[[Replica], None]) -> None:
        """Replace a model's engines one after the other, without a gap.

        The new engine is started and warmed up beside the old one, then published; the old one
        drains and stops once enough others are ready. `report` gets the states of the new engines.
        Raises CannotRestart; the old engine then stays.
        """
        names = [name for name, engine in self._engines.items() if engine.model.id == model]
        if not names:
            raise CannotRestart(f"no engine of {model!r} runs here")
        async with self._restarting:
            # Engines that do not serve come first: the others may have to wait for them.
            for name in sorted(names, key=lambda name: self.hosts[name].serves):
                await self._replace(name, report)

    async def _replace(self, name: str, report: Callable[[Replica], None]) -> None:
        engine, old = self._engines[name], self.hosts[name]
        try:
            ready = await asyncio.to_thread(self._launch, engine, self._settings, self._part)
        except CannotLaunch as reason:
            raise CannotRestart(f"{name}: {reason}") from None
        if not ready.argv:
            raise CannotRestart(f"{name} is not ours to restart: it runs at {ready.address}")
        new = await self._started(name, ready, report)
        if old.serves:
            await self._enough_beside(name, engine.model.id, new)
        self._successors.remove(new)
        self.hosts[name] = new
        new.succeed(old.replica.generation + 1, self._changed)
        old.report_to(report)
        await old.stop(_PATIENCE)

    async def _enough_beside(self, name: str, model: str, new: EngineHost) -> None:
        """Wait until the old engine is not needed. Raises CannotRestart after a timeout."""
        try:
            async with asyncio.timeout(_PATIENCE):
                while not new.serves or self._ready_beside(name, model) + 1 < self._least[model]:
                    self._changes.clear()
                    await self._changes.wait()
        except TimeoutError:
            found, wanted = self._ready_beside(name, model), self._least[model]
            await self._dismiss(new)
            raise CannotRestart(
                f"{name}: {found} others are ready and {wanted} have to be; the old engine goes on"
            ) from None

    def _ready_beside(self, name: str, model: str) -> int:
        return minimum.ready(self.replicas, model, but=name)

    async def _started(
        self, name: str, ready: Launch, report: Callable[[Replica], None]
    ) -> EngineHost:
        """A new engine that is ready and listed in `_successors`.

        Raises CannotRestart if it fails first.
        """
        settled: asyncio.Future[Replica] = asyncio.get_running_loop().create_future()

        def changed(replica: Replica) -> None:
            report(replica)
            self._changes.set()
            if replica.state in _SETTLED and not settled.done():
                settled.set_result(replica)

        new = self._host(name, ready, changed)
        self._successors.append(new)
        new.start()
        replica = await settled
        if replica.state is not ReplicaState.READY:
            await self._dismiss(new)
            raise CannotRestart(f"{name}: {replica.reason}; the old engine goes on")
        return new

    async def _dismiss(self, new: EngineHost) -> None:
        self._successors.remove(new)
        await new.stop(0)

    def _add(self, engine: Engine, ready: Launch) -> EngineHost:
        self._waiting.pop(engine.replica, None)
        self._engines[engine.replica] = engine
        host = self.hosts[engine.replica] = self._host(engine.replica, ready, self._changed)
        self._replicas[engine.replica] = host.replica
        return host

    def _host(self, name: str, ready: Launch, changed: Callable[[Replica], None]) -> EngineHost:
        return EngineHost(
            name,
            ready,
            logs=self._logs,
            stall=self._settings.engine_stall,
            changed=changed,
            generation=self._generations[name],
            cards=tuple(gpu.index for gpu in self._engines[name].gpus),
            turns=self._turns,
        )

    def _cannot(self, engine: Engine, reason: str) -> None:
        """Report why an engine cannot be launched; once, until the reason changes."""
        self._waiting[engine.replica] = engine
        known = self._replicas.get(engine.replica)
        if known is None or known.reason != reason:
            log.warning("replica.stopped", replica=engine.replica, reason=reason)
            self._changed(_stopped(engine, self._generations[engine.replica], reason))

    def _changed(self, replica: Replica) -> None:
        self._replicas[replica.id] = replica
        self._publish()
        self._changes.set()
        if not self._stopping.is_set():
            self._watch.look(self.replicas)

    def _publish(self) -> None:
        """Write the list; if that fails, as on a full disk, again until it succeeds."""
        retry, self._retry = self._retry, None
        if retry is not None:
            retry.cancel()
        try:
            listed = ReplicaList(time.time(), self.replicas, self._least)
            registry.write(self._settings.replicas_file, listed)
        except OSError as error:
            if retry is None:
                log.warning("replicas.unwritten", error=str(error))
            self._retry = asyncio.get_running_loop().call_later(_AGAIN_SECONDS, self._publish)


def launch(engine: Engine, settings: Settings, part: Machine) -> Launch:
    """Decide the launch of one engine on its part of the machine. Raises CannotLaunch."""
    model, variant = engine.model, engine.variant
    if variant is None:
        raise CannotLaunch(engine.reason)
    try:
        paths = Stock.of(settings).locate(model, variant)
    except WeightsError as reason:
        raise CannotLaunch(str(reason)) from None
    spec = EngineSpec(model, variant, settings, paths, replace(part, gpus=engine.gpus))
    ready = kind(variant.engine).launch(spec)
    environment = ready.environment | engine.environment(len(part.gpus))
    return msgspec.structs.replace(ready, environment=environment, overflow=variant.overflow)


def memory_mb(engine: Engine, settings: Settings, part: Machine) -> int:
    """Memory of an engine on this machine; as its variant declares, if it cannot be launched."""
    if engine.variant is None or not engine.on_cpu:
        return 0
    declared = engine.variant.memory_mb or 0
    try:
        return launch(engine, settings, part).memory_mb or declared
    except CannotLaunch:
        return declared


def _stopped(engine: Engine, generation: int, reason: str) -> Replica:
    return Replica(
        id=engine.replica,
        model=engine.model.id,
        kind=engine.variant.engine if engine.variant else "",
        dialect="",
        address="",
        engine_model=engine.model.id,
        slots=0,
        context_length=engine.model.context_length,
        state=ReplicaState.STOPPED,
        reason=reason,
        generation=generation,
        since=time.time(),
    )
