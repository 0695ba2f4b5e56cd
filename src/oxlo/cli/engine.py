"""`oxlo engine`: one engine in the foreground, without a fleet."""

import asyncio
import logging
import sys
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from oxlo.cli.failures import one_line_errors
from oxlo.cli.options import ModelName
from oxlo.cli.shutdown import on_shutdown

if TYPE_CHECKING:
    from oxlo.engines.base import Launch


def engine(
    model: ModelName,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 picks a free one.")] = 0,
) -> None:
    """Run one engine until Ctrl-C; prints its address and key, and its log on stderr."""
    from oxlo import catalogue
    from oxlo.fleet import local
    from oxlo.fleet.assign import assign
    from oxlo.hardware import machine
    from oxlo.settings import Settings

    with one_line_errors():
        settings = Settings.read()
        found = catalogue.load(settings.catalogue_dir).resolve(model)
        here = machine.here(settings.visible_gpus)
        launch = local.launch(assign([found], here.gpus)[0], settings, here)
    if not launch.argv:
        typer.echo(f"{found.id} runs elsewhere, at {launch.address}.")
        return
    config = msgspec.json.decode(launch.config) | {"port": port}
    with_port = msgspec.structs.replace(launch, config=msgspec.json.encode(config))
    raise typer.Exit(asyncio.run(_run(with_port)))


async def _run(launch: "Launch") -> int:
    """Run the engine; returns the exit code, 0 if it was stopped by a signal."""
    from oxlo.fleet.process import EngineProcess

    stopping = asyncio.Event()
    on_shutdown(stopping.set, with_parent=False)
    process = await EngineProcess.start(launch, logging.StreamHandler(sys.stderr))
    ends = {asyncio.ensure_future(process.exited()), asyncio.ensure_future(stopping.wait())}
    announcing = asyncio.create_task(_announce(process.listening(), launch.api_key))
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    announcing.cancel()
    await process.stop()
    if process.failure:
        typer.echo(f"oxlo: {process.failure}", err=True)
    return 0 if stopping.is_set() else 1


async def _announce(listening: Awaitable[str | None], api_key: str) -> None:
    if address := await listening:
        typer.echo(f"Address: {address}\nKey: {api_key}")
