"""`oxlo serve`: everything on one machine, from an empty folder to the first answer."""

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
from oxlo.cli import ending, gateways, lock, reach, storing
from oxlo.cli.banner import KEEP, banner
from oxlo.cli.failing import one_line_errors
from oxlo.cli.progress import Meters
from oxlo.cli.startup import Startup
from oxlo.cli.supervisor import Child, LogLine, Supervisor, oxlo
from oxlo.fleet import registry
from oxlo.fleet.starter import chosen
from oxlo.settings import Settings, misspelt

#: Seconds between two looks at whether everything is ready.
_LOOK = 0.2
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
    ends = ending.signals()
    with one_line_errors():
        settings = Settings.read()
        for name, meant in misspelt().items():
            _say(f"{name} is not a setting and changes nothing: is {meant} meant?")
        children = gateways.children(settings, workers)
        asyncio.run(_serve(_prepared(settings), children, ends, verbose=verbose))


@dataclass(frozen=True)
class _Prepared:
    """What is decided before the first process starts."""

    settings: Settings
    known: Catalogue
    models: tuple[str, ...]
    plan: plans.Plan
    #: The operator's first key, if it was made just now.
    key: str | None
    #: Where the operator logs in, or sets the first password.
    portal: str


def _prepared(settings: Settings) -> _Prepared:
    """Check, migrate, make the first account, fetch the weights. Raises CommandError and others."""
    settings.prepare()
    lock.hold(settings.home / "serve.lock", "`oxlo serve`")
    reach.check_port(settings)
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
    """The operator's plan, its key where the account was made just now (D20), and its page."""
    from oxlo.store import accounts, tokens

    async def work(desk: storing.Desk) -> tuple[plans.Plan, str | None, str]:
        page = f"{desk.settings.base_url}/login"
        async with desk.database.write() as db:
            account, key = await accounts.ensure_operator(
                db, desk.plan("premium"), signing=desk.settings.signing_secret(), now=desk.now
            )
            if account.password_hash is None:
                page = await tokens.welcome(db, account.id, desk.settings.base_url, now=desk.now)
        return desk.plan(account.plan), key, page

    return storing.run(work)


async def _serve(
    prepared: _Prepared, gateways: list[Child], ends: Collection[Signals], *, verbose: bool
) -> None:
    settings = prepared.settings
    logs = settings.logs_dir
    settings.replicas_file.unlink(missing_ok=True)  # what an earlier run wrote is not ready now
    grace = settings.drain_seconds + 5
    children = [*gateways, oxlo("media", 5), oxlo("fleet", grace), oxlo("control", 15)]
    if settings.valkey == "embedded" and not settings.valkey_url:
        children.append(oxlo("valkey", 10))
    supervisor = Supervisor(children, logs, _Terminal(verbose=verbose).tell)
    stop = asyncio.Event()
    announcing = asyncio.create_task(_announce(prepared, logs))
    _on_signals(ends, stop, announcing, supervisor)
    try:
        await supervisor.run(stop)
    finally:
        await _end(announcing, prepared.key)


async def _end(announcing: asyncio.Task[None], key: str | None) -> None:
    """End the announcement; a key that it never came to tell would be lost."""
    announcing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await announcing
    if announcing.cancelled() and key:
        _say(f"API key: {key}\n{KEEP}", err=False)


def _on_signals(
    ends: Collection[Signals],
    stop: asyncio.Event,
    announcing: asyncio.Task[None],
    supervisor: Supervisor,
) -> None:
    """The first signal ends in good order, a second one hurries."""

    def on_signal(number: Signals) -> None:
        if stop.is_set():
            if number != Signals.SIGHUP:  # a shell repeats the one of its terminal
                supervisor.hurry()
            return
        announcing.cancel()
        stop.set()
        _say("Stopping: running calls may finish. Press Ctrl-C again to stop at once.")

    ending.on_signals(ends, on_signal, lambda: _say(_HANGUP))


async def _announce(prepared: _Prepared, logs: Path) -> None:
    """Say what is loading, then how to call what answers and what will not."""
    settings, started = prepared.settings, time.monotonic()
    startup = Startup(prepared.models, logs, _say, started)
    while (
        (ready := await reach.ready(settings)) is None
        or not startup.is_over(ready)
        or not await reach.has_pages(settings)
    ):
        startup.look(registry.read(settings.replicas_file).replicas, time.monotonic())
        await asyncio.sleep(_LOOK)
    models = [prepared.known.resolve(model) for model in prepared.models if model in ready]
    _say(banner(settings.base_url, prepared.key, prepared.plan, models, prepared.portal), err=False)
    _say(f"Ready after {time.monotonic() - started:.1f} s.")
    for model, why in startup.troubles().items():
        _say(f"Not ready: {model}: {why}")


def _say(text: str, *, err: bool = True) -> None:
    """Tell whoever is at the terminal; that nobody is there any more stops no server."""
    with contextlib.suppress(OSError):
        typer.echo(text, err=err)


class _Terminal:
    """Shows what somebody at the terminal should know; the rest is in the log files."""

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose

    def tell(self, process: str, line: LogLine) -> None:
        """Show a line if it is a warning or worse, or if everything is wanted."""
        if self._verbose or line.level in ("warning", "error", "critical"):
            more = line.reason or line.error
            _say(f"{process}: {line.event}{': ' if more else ''}{more}")
