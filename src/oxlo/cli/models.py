"""`oxlo models`: what the catalogue holds, and fetching weights."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from oxlo import catalogue
from oxlo.catalogue import Catalogue, Model, WeightsFile
from oxlo.cli import storing, text
from oxlo.settings import Settings

app = typer.Typer(help="The models of the catalogue and their weights.", no_args_is_help=True)

_MB = 1_000_000
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command(name="list")
def list_models(as_json: AsJson = False) -> None:
    """List the models, and whether their weights are here."""
    with storing.one_line_errors():
        settings, known = _open()
        listed = [_summary(model, settings.weights_dir) for model in known]
        typer.echo(_json(listed) if as_json else _table(listed))


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="ID", help="The model's id or alias.")],
    as_json: AsJson = False,
) -> None:
    """Show a model: what it can do, where its weights come from and where they are."""
    with storing.one_line_errors():
        settings, known = _open()
        model = known.resolve(name)
        summary = _summary(model, settings.weights_dir)
        if as_json:
            weights = [_file(file, settings.weights_dir) for file in model.weights]
            typer.echo(_json(summary | {"weights": weights}))
        else:
            typer.echo(text.columns(_details(model, settings.weights_dir)))


@app.command()
def pull(
    names: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids or aliases.")],
    verify: Annotated[
        bool, typer.Option("--verify", help="Read files that are here again and check them.")
    ] = False,
) -> None:
    """Fetch the weights of models; what is here already is not fetched again."""
    from oxlo.weights import WeightsError, ready

    with storing.one_line_errors():
        settings, known = _open()
        models = [known.resolve(name) for name in names]
        files = [file for model in models for file in model.weights]
        try:
            paths = _fetch(files, settings.weights_dir, verify=verify)
        except WeightsError as error:
            raise storing.CommandError(str(error)) from error
        for file, path in zip(files, paths, strict=True):
            typer.echo(f"{path}  sha256:{file.sha256}")
        for model in models:
            ready(model.weights, settings.weights_dir)  # a cache may be read-only later


def _fetch(files: Sequence[WeightsFile], directory: Path, *, verify: bool) -> list[Path]:
    from oxlo import weights
    from oxlo.cli.progress import Meters

    if verify:
        for file in files:
            weights.present(file, directory, verify=True)
    meters = Meters()
    with meters.shown():
        return weights.fetch_all(files, directory, meters.meter)


def _open() -> tuple[Settings, Catalogue]:
    settings = Settings.read()
    return settings, catalogue.load(settings.catalogue_dir)


def _summary(model: Model, directory: Path) -> dict[str, object]:
    return {
        "id": model.id,
        "name": model.name,
        "category": model.category,
        "tier": model.tier,
        "context_length": model.context_length,
        "bytes": sum(file.size for file in model.weights),
        "here": all(_here(file, directory) for file in model.weights),
    }


def _here(file: WeightsFile, directory: Path) -> Path | None:
    from oxlo import weights

    return weights.present(file, directory)


def _table(listed: Sequence[dict[str, object]]) -> str:
    rows = [("ID", "CATEGORY", "TIER", "CONTEXT", "SIZE", "WEIGHTS")]
    rows += [
        (
            str(model["id"]),
            str(model["category"]),
            str(model["tier"]),
            f"{model['context_length']:,}" if model["context_length"] else "-",
            _size(int(str(model["bytes"]))),
            _state(model),
        )
        for model in listed
    ]
    return text.columns(rows)


def _state(model: dict[str, object]) -> str:
    if not model["bytes"]:
        return "elsewhere"
    return "here" if model["here"] else "not fetched"


def _details(model: Model, directory: Path) -> list[tuple[str, str]]:
    from oxlo.weights.sources import title

    rows = [
        ("Id", model.id),
        ("Name", model.name),
        ("Category", f"{model.category}, tier {model.tier}"),
        ("Description", model.description),
        ("Abilities", ", ".join(sorted(model.abilities))),
        ("Context", f"{model.context_length:,} tokens" if model.context_length else "-"),
        ("Aliases", ", ".join(model.aliases) or "-"),
        ("Licence", model.licence),
        ("Homepage", model.homepage),
    ]
    for file in model.weights:
        rows += [("Weights", f"{file.name}, {_size(file.size)}"), ("  sha256", file.sha256)]
        rows += [("  source", title(source)) for source in file.sources]
        rows += [("  here", str(_here(file, directory) or "not fetched"))]
    return rows


def _file(file: WeightsFile, directory: Path) -> dict[str, object]:
    path = _here(file, directory)
    entry: dict[str, object] = msgspec.to_builtins(file)
    return entry | {"path": str(path) if path else None}


def _size(count: int) -> str:
    return f"{count / _MB:,.0f} MB" if count else "-"


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value)).decode()
