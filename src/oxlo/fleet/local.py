"""The local fleet: every engine of this machine, and the list that gateways read."""

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path

import structlog

from oxlo.catalogue import Catalogue, Model, Variant
from oxlo.engines.base import CannotLaunch, Launch
from oxlo.engines.kinds import kind
from oxlo.fleet import machine, registry
from oxlo.fleet.host import EngineHost
from oxlo.fleet.registry import Replica, ReplicaList, ReplicaState
from oxlo.fleet.sizing import Machine
from oxlo.settings import Settings
from oxlo.weights import Stock, WeightsError

log = structlog.get_logger("oxlo.fleet")
_HARDWARE = ("cpu", "remote")


class LocalFleet:
    """Hosts for the chosen models; `run` serves until `stop` is called."""

    def __init__(self, catalogue: Catalogue, settings: Settings, model_ids: Iterable[str]) -> None:
        self._models = [catalogue.resolve(model_id) for model_id in model_ids]
        self._settings = settings
        self._replicas: dict[str, Replica] = {}
        self._stopping = asyncio.Event()
        self.hosts: dict[str, EngineHost] = {}

    @property
    def replicas(self) -> tuple[Replica, ...]:
        """As last written."""
        return tuple(self._replicas.values())

    async def run(self) -> None:
        """Start every engine, keep them running, and stop them all in the end."""
        self._prepare()
        self._publish()
        for host in self.hosts.values():
            host.start()
        try:
            await self._stopping.wait()
        finally:
            drain = self._settings.drain_seconds
            await asyncio.gather(*(host.stop(drain) for host in self.hosts.values()))

    def stop(self) -> None:
        """Ask `run` to end."""
        self._stopping.set()

    def _prepare(self) -> None:
        self._settings.prepare()
        logs = self._settings.home / "logs"
        logs.mkdir(exist_ok=True)
        before = {r.id: r for r in registry.read(self._settings.replicas_file).replicas}
        part = machine.here().shared(sum(map(_local_engines, self._models)))
        for model in self._models:
            self._add(model, part, before, logs)

    def _add(self, model: Model, part: Machine, before: dict[str, Replica], logs: Path) -> None:
        for number in range(1, _replicas(model) + 1):
            replica_id = f"{model.id}-{number}"
            generation = before[replica_id].generation + 1 if replica_id in before else 1
            try:
                ready = launch(model, self._settings, part)
            except CannotLaunch as reason:
                self._changed(_stopped(replica_id, model, generation, str(reason)))
                continue
            host = EngineHost(
                replica_id,
                ready,
                logs=logs,
                stall=self._settings.engine_stall,
                changed=self._changed,
                generation=generation,
            )
            self.hosts[replica_id] = host
            self._replicas[replica_id] = host.replica

    def _changed(self, replica: Replica) -> None:
        self._replicas[replica.id] = replica
        self._publish()

    def _publish(self) -> None:
        registry.write(self._settings.replicas_file, ReplicaList(time.time(), self.replicas))


def launch(model: Model, settings: Settings, part: Machine) -> Launch:
    """One engine of the model, with its part of the machine. Raises CannotLaunch."""
    chosen = variant(model)
    if chosen is None:
        raise CannotLaunch(f"no variant of {model.id} is for {' or '.join(_HARDWARE)}")
    try:
        paths = Stock.of(settings).locate(model, chosen)
    except WeightsError as reason:
        raise CannotLaunch(str(reason)) from None
    return kind(chosen.engine).launch(model, chosen, settings, paths, part)


def variant(model: Model) -> Variant | None:
    """How this machine runs a model; None: it does not."""
    return next((v for v in model.variants if v.hardware in _HARDWARE), None)


def _replicas(model: Model) -> int:
    chosen = variant(model)
    number = chosen.args.get("replicas", 1) if chosen else 1
    return number if isinstance(number, int) else 1


def _local_engines(model: Model) -> int:
    chosen = variant(model)
    return _replicas(model) if chosen and chosen.hardware == "cpu" else 0


def _stopped(replica_id: str, model: Model, generation: int, reason: str) -> Replica:
    chosen = variant(model)
    log.warning("replica.stopped", replica=replica_id, reason=reason)
    return Replica(
        id=replica_id,
        model=model.id,
        kind=chosen.engine if chosen else "",
        dialect="",
        address="",
        engine_model=model.id,
        slots=0,
        context_length=model.context_length,
        state=ReplicaState.STOPPED,
        reason=reason,
        generation=generation,
        since=time.time(),
    )
