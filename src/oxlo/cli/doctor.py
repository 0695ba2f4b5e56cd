"""`oxlo doctor`: checks for common problems of a first start, each with its remedy.

Followed by the models of the catalogue that this machine can serve.
"""

import asyncio
import resource
import shutil
import sys
import time
from collections.abc import Iterator

import msgspec
import typer

from oxlo import catalogue, plans
from oxlo.cli import checks, lock, servable, services, text
from oxlo.cli.failures import message
from oxlo.cli.finding import Finding, wrong
from oxlo.cli.libraries import lacking
from oxlo.cli.options import AsJson
from oxlo.errors import ModelNotFound
from oxlo.fleet import registry
from oxlo.fleet.assign import assign
from oxlo.fleet.local import memory_mb
from oxlo.fleet.starter import chosen, wanted
from oxlo.gateway import outgoing
from oxlo.hardware import machine
from oxlo.serving import confine
from oxlo.settings import Settings, SettingsError, misspelt
from oxlo.weights import Stock


def doctor(as_json: AsJson = False) -> None:
    """Check this machine and this installation; exit code 1 if something blocks a start."""
    if as_json:
        found = list(findings())
        typer.echo(text.json(found))
        raise typer.Exit(1 if any(finding.blocks for finding in found) else 0)
    blocked = False
    for finding in findings():
        typer.echo(str(finding))
        blocked |= finding.blocks
    if not blocked:
        typer.echo("\n".join(["", "The models of the catalogue, on this machine:", *survey()]))
    raise typer.Exit(1 if blocked else 0)


def findings() -> Iterator[Finding]:
    """Run the checks, yielding each result at once; writes only a temporary file."""
    yield checks.python(sys.version_info[:3])
    try:
        settings = Settings.read()
        plans.load(settings.plans_file)
        known = catalogue.load(settings.catalogue_dir)
        models = [known.resolve(name) for name in chosen(settings, known)]
        wishes = wanted(settings, known)
    except (SettingsError, msgspec.ValidationError, ModelNotFound, OSError) as error:
        yield wrong("settings", message(error))
        return
    for name, meant in misspelt().items():
        yield Finding("settings", f"{name} is not a setting: is {meant} meant?", ok=False)
    here = machine.here(settings.visible_gpus)
    engines = assign(models, here.gpus, wishes)
    yield Finding("models", ", ".join(model.id for model in models) or "none are to be served")
    yield from checks.placed(engines)
    yield checks.home(settings.home)
    yield from checks.exposed(settings.home)
    yield from checks.secret(settings)
    yield checks.disk(checks.missing_mb(engines, Stock.of(settings)), checks.free_mb(settings.home))
    part = here.shared(sum(engine.on_cpu for engine in engines))
    taken = sum(memory_mb(engine, settings, part) for engine in engines)
    yield checks.memory(taken, here.memory_mb)
    yield checks.gpus(here, driver=shutil.which("nvidia-smi") is not None)
    yield asyncio.run(services.port(settings))
    yield from services.certificate(settings, time.time())
    yield checks.hot_path(outgoing.__file__)
    yield from map(checks.engine, checks.libraries(engines))
    yield checks.confinement(supported=confine.supported())
    if lock.is_held(settings.home / lock.FLEET):
        yield from checks.running(registry.read(settings.replicas_file).replicas, time.time())
    yield asyncio.run(services.schema(settings))
    if settings.valkey_address:
        yield asyncio.run(services.shared_limits(settings))
    yield checks.clock(time.time(), checks.newest(settings.journal_dir))
    yield checks.open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def survey() -> Iterator[str]:
    """The models that this machine can serve, and what the others need, as text."""
    settings = Settings.read()
    known = catalogue.load(settings.catalogue_dir)
    here = machine.here(settings.visible_gpus)
    found = servable.verdicts(known, here, Stock.of(settings), lambda e: lacking(e, settings))
    return servable.paragraphs(found)
