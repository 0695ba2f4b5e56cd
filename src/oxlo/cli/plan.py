"""`oxlo fleet plan`: placing the catalogue's models on GPUs."""

from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from oxlo import catalogue
from oxlo.cli import text
from oxlo.cli.failures import CommandError, one_line_errors
from oxlo.cli.options import AsJson
from oxlo.fleet.plan import Placement, Plan, plan
from oxlo.hardware.cards import CARDS
from oxlo.settings import Settings


def plan_command(
    gpus: Annotated[str, typer.Option(help=f"How many of each: {'=4,'.join(CARDS)}=4.")],
    models: Annotated[
        str, typer.Option(help="Ids, comma-separated; default: every model that runs on a GPU.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Show which models fit on which GPUs at the same time, and why the others do not."""
    with one_line_errors():
        known = catalogue.load(Settings.read().catalogue_dir)
        named = [known.resolve(name) for name in models.split(",") if name.strip()]
        wanted = named or [model for model in known if any(v.cards for v in model.variants)]
        counts = parse(gpus)
        made = plan(wanted, counts)
        typer.echo(text.json(made) if as_json else "\n".join(_table(made, counts)))


def parse(gpus: str) -> dict[str, int]:
    """Parse `t4=4,a100=16` to counts. Raises CommandError."""
    counts: dict[str, int] = {}
    for part in filter(None, (part.strip().lower() for part in gpus.split(","))):
        kind, _, count = part.partition("=")
        if kind not in CARDS or not count.isdigit():
            raise CommandError(f"{part!r}: expected KIND=NUMBER, and of kinds {', '.join(CARDS)}")
        counts[kind] = counts.get(kind, 0) + int(count)
    return counts


def _table(made: Plan, counts: dict[str, int]) -> Iterable[str]:
    rows = [("CARDS", "MODELS", "MIB ON EACH", "OF")]
    rows += map(_row, _by_cards(made.placements))
    yield text.columns(rows)
    used = {(p.hardware, card) for p in made.placements for card in p.cards}
    idle = {kind: count - sum(k == kind for k, _ in used) for kind, count in counts.items()}
    unused = ", ".join(f"{count} x {kind}" for kind, count in idle.items() if count)
    yield f"\n{len(made.placements)} models placed; cards left: {unused or 'none'}."
    if made.unplaced:
        yield "\nNot placed:"
        yield text.columns([(f"  {model}", why) for model, why in made.unplaced.items()])


def _by_cards(placements: Iterable[Placement]) -> list[list[Placement]]:
    """Group placements by the cards that they share."""
    together: dict[tuple[str, tuple[int, ...]], list[Placement]] = {}
    for placement in placements:
        together.setdefault((placement.hardware, placement.cards), []).append(placement)
    kinds = list(CARDS)
    return [together[key] for key in sorted(together, key=lambda k: (kinds.index(k[0]), k[1]))]


def _row(placed: Sequence[Placement]) -> tuple[str, str, str, str]:
    kind, cards = placed[0].hardware, placed[0].cards
    first, last = cards[0] + 1, cards[-1] + 1
    name = f"{kind} {first}" if first == last else f"{kind} {first}-{last}"
    sizes = [placement.memory_mb for placement in placed]
    total = " + ".join(f"{size:,}" for size in sizes)
    if len(sizes) > 1:
        total += f" = {sum(sizes):,}"
    return name, " + ".join(p.model for p in placed), total, f"{CARDS[kind].memory_mb:,}"
