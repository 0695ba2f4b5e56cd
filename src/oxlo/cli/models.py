"""`oxlo models`: the catalogue, and fetching weights."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated

import typer

from oxlo import catalogue, weights
from oxlo.catalogue import Catalogue, Model, Variant
from oxlo.cli import model_output, text
from oxlo.cli.failures import CommandError, one_line_errors
from oxlo.cli.options import AsJson, ModelName
from oxlo.fleet.assign import on_its_own
from oxlo.fleet.starter import chosen as served
from oxlo.hardware import gpus
from oxlo.hardware.cards import CARDS
from oxlo.hardware.sizing import Gpu
from oxlo.settings import Settings
from oxlo.weights import Stock, WeightsError

app = typer.Typer(help="Models of the catalogue and their weights.", no_args_is_help=True)

Hardware = Annotated[
    str, typer.Option(help=f"Weights for cpu, {', '.join(CARDS)}; default: this machine.")
]


@app.command(name="list")
def list_models(as_json: AsJson = False) -> None:
    """List the models, and whether their weights are here."""
    with one_line_errors():
        known, stock, cards = _open()
        listed = [model_output.summary(model, on_its_own(model, cards), stock) for model in known]
        typer.echo(text.json(listed) if as_json else model_output.table(listed))


@app.command()
def show(
    name: ModelName,
    as_json: AsJson = False,
) -> None:
    """Show a model: what it is and can do, what it runs on, and where its weights are."""
    with one_line_errors():
        known, stock, cards = _open()
        model = known.resolve(name)
        if as_json:
            typer.echo(text.json(model_output.whole(model, on_its_own(model, cards), stock)))
        else:
            here, base = on_its_own(model, cards), Settings.read().base_url
            typer.echo(text.columns(list(model_output.details(model, here, stock, base))))
            if model.setup:
                typer.echo(f"\n{model.setup}")


@app.command()
def pull(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL...]", help="Ids or aliases; default: the models served here."
        ),
    ] = None,
    hardware: Hardware = "",
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Check files that are here, and fetch damaged ones again."),
    ] = False,
) -> None:
    """Fetch the weights of models; what is here already is not fetched again."""
    from oxlo.cli.progress import Meters

    with one_line_errors():
        known, stock, cards = _open()
        wanted = names or served(Settings.read(), known)
        chosen = [_choose(known.resolve(name), cards, hardware) for name in wanted]
        files = [file for model, variant in chosen for file in stock.files(model, variant)]
        for file in files if verify else ():
            weights.present(file, stock.weights, verify=True)
        meters = Meters()
        with meters.shown():
            paths = stock.fetch(chosen, meters.meter)
        for file, path in zip(files, paths, strict=True):
            typer.echo(f"{path}  sha256:{file.sha256}")
        for model, variant in chosen:
            for path in stock.locate(model, variant) if model.supplied else ():
                typer.echo(path)


@app.command()
def pin(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL...]", help="Ids or aliases; default: every model."),
    ] = None,
) -> None:
    """Pin repositories to the commit and hashes that the hub has now.

    The first pull of a repository pins it, too.
    """
    with one_line_errors():
        known, stock, _ = _open()
        models = [known.resolve(name) for name in names] if names else list(known)
        failures = list(_pin_all(models, stock))
    if failures:
        raise typer.Exit(1)


@app.command()
def test(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="A served model's id or alias.")],
) -> None:
    """Test a served model: one small real request for each thing it can do.

    The requests count, against the account of OXLO_API_KEY, else the operator's.
    """
    from oxlo.cli import smoke_run

    with one_line_errors():
        settings = Settings.read()
        model = catalogue.load(settings.catalogue_dir).resolve(name)
        made = list(smoke_run.outcomes(model, settings))
        typer.echo(smoke_run.table(made))
    if not all(outcome.ok for outcome in made):
        raise typer.Exit(1)


def _pin_all(models: Iterable[Model], stock: Stock) -> Iterator[str]:
    """Pin repositories and print errors; yields those that failed."""
    for repository in weights.repositories(models):
        try:
            pinned = stock.pin(repository)
        except WeightsError as error:
            typer.echo(f"oxlo: {error}", err=True)
            yield repository.hub
        else:
            size = model_output.size(sum(file.size for file in pinned.files))
            typer.echo(f"{pinned.hub}@{pinned.revision}  {len(pinned.files)} files, {size}")


def _choose(model: Model, cards: Sequence[Gpu], hardware: str) -> tuple[Model, Variant]:
    """The variant for `hardware`, by default for this machine. Raises CommandError."""
    here = on_its_own(model, cards)
    named = [variant for variant in model.variants if variant.hardware == hardware]
    if hardware and not named:
        raise CommandError(f"{model.id} has no variant for {hardware}: {_kinds(model)}")
    if not hardware and here is None:
        raise CommandError(
            f"{model.id} does not run on this machine ({_kinds(model)}); to fetch it all the same, "
            "name its hardware: --hardware"
        )
    variant = named[0] if named else here
    assert variant is not None
    return model, variant


def _kinds(model: Model) -> str:
    return f"it is for {', '.join(variant.hardware for variant in model.variants) or 'none'}"


def _open() -> tuple[Catalogue, Stock, tuple[Gpu, ...]]:
    """The catalogue, the weights' stock, and the GPUs."""
    settings = Settings.read()
    cards = gpus.here(settings.visible_gpus)
    return catalogue.load(settings.catalogue_dir), Stock.of(settings), cards
