"""Output of `oxlo models`: models, with the state of their weights."""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urljoin

import msgspec

from oxlo.catalogue import Model, Variant, WeightsFile
from oxlo.cli import text
from oxlo.weights import Stock, WeightsError
from oxlo.weights.sources import title
from oxlo.weights.stock import needs

_MB = 1_000_000


def summary(model: Model, here: Variant | None, stock: Stock) -> dict[str, Any]:
    """A model's summary; `here` is the variant for this machine, if any."""
    return {
        "id": model.id,
        "name": model.name,
        "category": model.category,
        "tier": model.tier,
        "context_length": model.context_length or None,
        "hardware": here.hardware if here else None,
        "bytes": stock.size(model, here) if here else None,
        "state": _state(model, here, stock),
    }


def _state(model: Model, variant: Variant | None, stock: Stock) -> str:
    if variant is None:
        return "not for this machine"
    if variant.hardware == "remote":
        return "elsewhere"
    try:
        stock.locate(model, variant)
    except WeightsError:
        return "to be supplied" if model.supplied else "not fetched"
    return "here"


#: In sort order: models that can be served sooner come first.
_STATES = ("here", "elsewhere", "not fetched", "to be supplied", "not for this machine")


def table(listed: Sequence[dict[str, Any]]) -> str:
    """Summaries as a table, sorted by the state of the weights."""
    listed = sorted(listed, key=lambda model: (_STATES.index(model["state"]), model["id"]))
    rows = [("ID", "CATEGORY", "TIER", "CONTEXT", "RUNS ON", "SIZE", "WEIGHTS")]
    rows += [
        (
            model["id"],
            model["category"],
            model["tier"],
            f"{model['context_length']:,}" if model["context_length"] else "-",
            model["hardware"] or "-",
            size(model["bytes"] or 0),
            model["state"],
        )
        for model in listed
    ]
    return text.columns(rows)


def whole(model: Model, here: Variant | None, stock: Stock) -> dict[str, Any]:
    """Everything about a model, for JSON output."""
    fields: dict[str, Any] = msgspec.to_builtins(model)
    files = [_file(file, stock) for file in model.weights]
    return fields | summary(model, here, stock) | {"weights": files}


def _file(file: WeightsFile, stock: Stock) -> dict[str, Any]:
    path = stock.present(file)
    entry: dict[str, Any] = msgspec.to_builtins(file)
    return entry | {"path": str(path) if path else None}


def details(
    model: Model, here: Variant | None, stock: Stock, base: str
) -> Iterator[tuple[str, str]]:
    """Everything about a model, as two columns; `base` is where this installation's pages are."""
    yield "Id", model.id
    yield "Name", model.name
    yield "Category", f"{model.category}, tier {model.tier}"
    yield "Description", model.description
    yield "Abilities", ", ".join(sorted(model.abilities))
    yield "Context", f"{model.context_length:,} tokens" if model.context_length else "-"
    yield "Aliases", ", ".join(model.aliases) or "-"
    if model.billions:
        yield "Parameters", f"{model.billions:g} billion"
    if model.built_on:
        yield "Built on", ", ".join(model.built_on)
    yield "Licence", model.licence
    yield "Homepage", urljoin(base, model.homepage)
    yield "Runs here", f"on {here.hardware}" if here else "no"
    for variant in model.variants:
        yield from _variant(model, variant, stock)
    for file in model.weights:
        yield "Weights", f"{file.name}, {size(file.size)}"
        yield "  sha256", file.sha256
        yield from (("  source", title(source)) for source in file.sources)
        yield "  here", str(stock.present(file) or "not fetched")
    yield from (("Weights", str(stock.supplied / name)) for name in model.supplied)


def _variant(model: Model, variant: Variant, stock: Stock) -> Iterator[tuple[str, str]]:
    cards = f"{variant.cards} x " if variant.cards > 1 else ""
    memory = f", {variant.memory_mb:,} MiB" if variant.memory_mb else ""
    verified = "" if variant.verified or variant.hardware == "remote" else ", not verified"
    yield "Hardware", f"{cards}{variant.hardware}: {variant.engine}{memory}{verified}"
    for repository in (need.repository for need in needs(model, variant)):
        revision = stock.pinned(repository) or repository.revision or "not pinned yet"
        yield "  hub", f"{repository.hub} ({revision})"


def size(count: int) -> str:
    """Bytes in MB, or GB; `-` for none."""
    if count >= 100_000 * _MB:
        return f"{count / 1000 / _MB:,.0f} GB"
    return f"{count / _MB:,.0f} MB" if count else "-"
