"""`oxlo serve`: the whole platform on one machine, starting from an empty folder."""

import asyncio
import contextlib
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from typing import Annotated

import typer

from oxlo import catalogue, plans, weights
from oxlo.catalogue import Catalogue
from oxlo.cli import database, gateways, local_gateway, lock, shutdown
from oxlo.cli.banner import KEEP, banner
from oxlo.cli.failures import one_line_errors
from oxlo.cli.progress import Meters
from oxlo.cli.startup import Startup
from oxlo.cli.supervisor import Child, LogLine, Supervisor, oxlo
from oxlo.fleet import registry
from oxlo.fleet.starter import chosen
from oxlo.settings import Settings, misspelt

#: Seconds between readiness checks.
_POLL_SECONDS = 0.2
_HANGUP = (
    "SIGHUP: nothing to do. Plans and certificates are read as they change; what else is set is "
    "read at a start."
)


def serve(
    verbose: Annotated[bool, typer.Option("--verbose", help="Show every process's log.")] = False,
    workers: Annotated[
        int,
        typer.Option(min=1, max=64, help="Gateways on this machine; more than one needs Valkey."),
    ] = 1,
) -> None:
    """Fetch missing weights, start every process, and serve until Ctrl-C."""
    ends = shutdown.signals()
    with one_line_errors():
        settings = Settings.read()
        for name, meant in misspelt().items():
            _echo(f"{name} is not a setting and changes nothing: is {meant} meant?")
        children = gateways.children(settings, workers)
        asyncio.run(_serve(_prepared(settings), children, ends, verbose=verbose))


@dataclass(frozen=True)
class _Prepared:
    """The state before the first process starts."""

    settings: Settings
    known: Catalogue
    models: tuple[str, ...]
    plan: plans.Plan
    #: The operator's first key, if it was just created.
    key: str | None
    #: URL where the operator logs in, or sets the first password.
    portal: str


def _prepared(settings: Settings) -> _Prepared:
    """Check, fetch weights, migrate, create the account. Raises CommandError and others."""
    settings.prepare()
    lock.hold(settings.home / "serve.lock", "`oxlo serve`")
    local_gateway.check_port(settings)
    local_gateway.check_certificate(settings)
    known = catalogue.load(settings.catalogue_dir)
    models = chosen(settings, known)
    _fetch_weights(settings, known, models)
    plan, key, portal = _operator()
    return _Prepared(settings, known, models, plan, key, portal)


def _fetch_weights(settings: Settings, known: Catalogue, models: tuple[str, ...]) -> None:
    from oxlo.fleet.assign import assign
    from oxlo.fleet.starter import wanted
    from oxlo.hardware import gpus

    cards = gpus.here(settings.visible_gpus)
    resolved = [known.resolve(name) for name in models]
    engines = assign(resolved, cards, wanted(settings, known))
    here = {engine.model.id: (engine.model, engine.variant) for engine in engines if engine.variant}
    meters = Meters()
    with meters.shown():
        weights.Stock.of(settings).fetch(here.values(), meters.meter)


def _operator() -> tuple[plans.Plan, str | None, str]:
    """The operator's plan, its key if it was just created (D20), and the URL to log in."""
    from oxlo.store import accounts, tokens

    async def work(context: database.CommandContext) -> tuple[plans.Plan, str | None, str]:
        page = f"{context.settings.base_url}/login"
        async with context.database.write() as db:
            account, key = await accounts.ensure_operator(
                db,
                context.plan("premium"),
                signing=context.settings.signing_secret(),
                now=context.now,
            )
            if account.password_hash is None:
                page = await tokens.welcome(
                    db, account.id, context.settings.base_url, now=context.now
                )
        return context.plan(account.plan), key, page

    return database.run(work)


async def _serve(
    prepared: _Prepared, gateways: list[Child], ends: Collection[Signals], *, verbose: bool
) -> None:
    settings = prepared.settings
    logs = settings.logs_dir
    settings.replicas_file.unlink(missing_ok=True)  # replicas of an earlier run are gone
    grace = settings.drain_seconds + 5
    children = [*gateways, oxlo("media", 5), oxlo("fleet", grace), oxlo("control", 15)]
    if settings.valkey == "embedded" and not settings.valkey_url:
        children.append(oxlo("valkey", 10))
    supervisor = Supervisor(children, logs, _Terminal(verbose=verbose).show)
    stop = asyncio.Event()
    announcement = asyncio.create_task(_announce(prepared, logs))
    _on_signals(ends, stop, announcement, supervisor)
    try:
        await supervisor.run(stop)
    finally:
        await _finish(announcement, prepared.key)


async def _finish(announcement: asyncio.Task[None], key: str | None) -> None:
    """Cancel the announcement, but print a new key, which would be lost otherwise."""
    announcement.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await announcement
    if announcement.cancelled() and key:
        _echo(f"API key: {key}\n{KEEP}", err=False)


def _on_signals(
    ends: Collection[Signals],
    stop: asyncio.Event,
    announcement: asyncio.Task[None],
    supervisor: Supervisor,
) -> None:
    """The first signal stops gracefully, the second one kills."""

    def on_signal(number: Signals) -> None:
        if stop.is_set():
            if number != Signals.SIGHUP:  # the shell sends it in addition to the terminal's
                supervisor.kill()
            return
        announcement.cancel()
        stop.set()
        _echo("Stopping: running calls may finish. Press Ctrl-C again to stop at once.")

    shutdown.on_signals(ends, on_signal, lambda: _echo(_HANGUP))


async def _announce(prepared: _Prepared, logs: Path) -> None:
    """Print what is loading; once ready, the banner and the models that failed."""
    settings, started = prepared.settings, time.monotonic()
    startup = Startup(prepared.models, logs, _echo, started)
    while (
        (ready := await local_gateway.ready(settings)) is None
        or not startup.is_over(ready)
        or not await local_gateway.has_pages(settings)
    ):
        startup.update(registry.read(settings.replicas_file).replicas, time.monotonic())
        await asyncio.sleep(_POLL_SECONDS)
    models = [prepared.known.resolve(model) for model in prepared.models if model in ready]
    _echo(
        banner(settings.base_url, prepared.key, prepared.plan, models, prepared.portal), err=False
    )
    _echo(f"Ready after {time.monotonic() - started:.1f} s.")
    for model, why in startup.failed().items():
        _echo(f"Not ready: {model}: {why}")


def _echo(text: str, *, err: bool = True) -> None:
    """Print to the terminal; a closed terminal does not stop the server."""
    with contextlib.suppress(OSError):
        typer.echo(text, err=err)


class _Terminal:
    """Prints important log lines to the terminal; the log files have all."""

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose

    def show(self, process: str, line: LogLine) -> None:
        """Print a line if it is a warning or worse, or if `verbose`."""
        if self._verbose or line.level in ("warning", "error", "critical"):
            more = line.reason or line.error
            _echo(f"{process}: {line.event}{': ' if more else ''}{more}")
