"""`oxlo fleet status`: the state of every replica of this machine."""

import asyncio
from typing import TYPE_CHECKING

import msgspec
import typer

from oxlo.cli import text
from oxlo.cli.failures import one_line_errors
from oxlo.cli.options import AsJson
from oxlo.fleet import minimum, registry
from oxlo.fleet.registry import Replica, ReplicaList
from oxlo.ledger.windows import iso

if TYPE_CHECKING:
    from oxlo.portal.live import Gateways
    from oxlo.settings import Settings

_MB = 1_000_000


class ReplicaStatus(msgspec.Struct, frozen=True):
    """One replica. Null is what nobody reports: without a gateway, or without a process of ours."""

    id: str
    model: str
    engine: str
    state: str
    reason: str
    #: When the state was entered, UTC.
    since: str
    slots: int
    slots_in_use: int | None
    memory_bytes: int | None
    #: Starts of its process after the first one.
    restarts: int


class ModelStatus(msgspec.Struct, frozen=True):
    """One model: its replicas that are ready, how many have to be, and what waits for them."""

    id: str
    ready: int
    minimum: int
    queue: int | None


class FleetStatus(msgspec.Struct, frozen=True):
    """The engines of this machine."""

    home: str
    #: Whether a fleet runs; if not, the lists are empty.
    running: bool
    gateways: tuple[str, ...] = ()
    requests_running: int | None = None
    models: tuple[ModelStatus, ...] = ()
    replicas: tuple[ReplicaStatus, ...] = ()

    @property
    def serves(self) -> bool:
        """Whether every model has the replicas that it must have."""
        return self.running and all(model.ready >= model.minimum for model in self.models)


def status_command(as_json: AsJson = False) -> None:
    """Show what every replica is doing; exit code 1 unless every model has enough ready ones."""
    from oxlo.settings import Settings

    with one_line_errors():
        found = asyncio.run(_status(Settings.read()))
    typer.echo(text.json(found) if as_json else "\n".join(lines(found)))
    raise typer.Exit(0 if found.serves else 1)


async def _status(settings: "Settings") -> FleetStatus:
    from oxlo.cli import lock
    from oxlo.control import scrape
    from oxlo.control.live import summed
    from oxlo.fleet.footprint import by_replica

    if not lock.is_held(settings.home / lock.FLEET):
        return FleetStatus(str(settings.home), running=False)
    listed = registry.read(settings.replicas_file)
    load = summed(await scrape.gateways(settings.run_dir, lambda *_: None))
    return status(str(settings.home), listed, load, by_replica(listed.replicas))


def status(home: str, listed: ReplicaList, load: "Gateways", memory: dict[str, int]) -> FleetStatus:
    """The status of a running fleet. `memory` is in bytes by replica, as far as it is known."""
    in_use = {each.replica: each.in_use for each in load.loads}
    minimums = {replica.model: 1 for replica in listed.replicas} | listed.minimum
    answers = bool(load.names)
    return FleetStatus(
        home,
        running=True,
        gateways=load.names,
        requests_running=load.running if answers else None,
        models=tuple(
            ModelStatus(
                model,
                minimum.ready(listed.replicas, model),
                least,
                load.queues.get(model, 0) if answers else None,
            )
            for model, least in minimums.items()
        ),
        replicas=tuple(
            _replica(
                replica, in_use.get(replica.id, 0) if answers else None, memory.get(replica.id)
            )
            for replica in listed.replicas
        ),
    )


def _replica(replica: Replica, in_use: int | None, memory: int | None) -> ReplicaStatus:
    return ReplicaStatus(
        id=replica.id,
        model=replica.model,
        engine=replica.kind,
        state=replica.state.value,
        reason=replica.reason,
        since=iso(replica.since),
        slots=replica.slots,
        slots_in_use=in_use,
        memory_bytes=memory,
        restarts=replica.generation - 1,
    )


def lines(found: FleetStatus) -> list[str]:
    """The status for people: a table, then what is wrong."""
    if not found.running:
        return [f"No fleet runs on {found.home}: start it with `oxlo serve`."]
    if not found.replicas:
        return [f"The fleet on {found.home} serves no model (OXLO_MODELS, OXLO_STARTER)."]
    notes = filter(None, map(_note, found.models))
    return [_table(found.replicas), "", *notes, _gateways(found)]


def _table(replicas: tuple[ReplicaStatus, ...]) -> str:
    rows = [("REPLICA", "STATE", "SLOTS IN USE", "MEMORY", "RESTARTS", "SINCE", "REASON")]
    rows += [
        (
            replica.id,
            replica.state,
            f"{_or_dash(replica.slots_in_use)} of {replica.slots}",
            "-" if replica.memory_bytes is None else f"{replica.memory_bytes // _MB:,} MB",
            str(replica.restarts),
            replica.since,
            replica.reason or "-",
        )
        for replica in replicas
    ]
    return text.columns(rows)


def _note(model: ModelStatus) -> str:
    """What is wrong with a model; "" if nothing is."""
    few = model.ready < model.minimum
    ready = f"{model.ready} ready, at least {model.minimum} needed" if few else ""
    queue = f"{model.queue:,} requests wait" if model.queue else ""
    return f"{model.id}: {'; '.join(filter(None, (ready, queue)))}" if ready or queue else ""


def _gateways(found: FleetStatus) -> str:
    if not found.gateways:
        return "No gateway answers: slots in use are not known."
    return f"Gateways: {', '.join(found.gateways)}; {found.requests_running:,} requests running"


def _or_dash(number: int | None) -> str:
    return "-" if number is None else str(number)
