"""The table of results, and the verdicts on targets."""

from collections.abc import Iterator, Sequence

import msgspec

from bench.overhead.rows import Row, Target
from bench.overhead.run import Cell

HEADER = ("row", "peer", "CPU us", "per s", "p50 ms", "p99 ms", "RSS MB", "errors")


class Verdict(msgspec.Struct, frozen=True):
    """A target and its result; `ratio` is the gateway's CPU time over the peer's."""

    row: str
    peer: str
    ratio: float
    most: float
    of: str = "oxlo"

    @property
    def met(self) -> bool:
        """Whether the target is met."""
        return self.ratio <= self.most


def table(cells: Sequence[Cell]) -> str:
    """Format all cells; CPU time is per request, or per chunk in rows of streams."""
    return columns([HEADER, *(_line(cell) for cell in cells)])


def _line(cell: Cell) -> tuple[str, ...]:
    return (
        cell.row,
        cell.peer,
        f"{cell.cpu_us:.2f}",
        f"{cell.per_second:,.0f}",
        f"{cell.p50_ms:.2f}",
        f"{cell.p99_ms:.2f}",
        f"{cell.rss_mb:.0f}",
        f"{cell.errors} INVALID" if cell.errors else "0",
    )


def columns(lines: Sequence[Sequence[str]]) -> str:
    """Align two text columns followed by numbers."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            part.ljust(width) if i < 2 else part.rjust(width)
            for i, (part, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def beside(cells: Sequence[Cell]) -> str:
    """Format the cost of auxiliary processes, which the table excludes."""
    return "\n".join(
        f"{cell.row}: {name} beside {cell.peer} took {cost:.2f} us more"
        for cell in cells
        for name, cost in cell.others_us.items()
    )


def verdicts(rows: Sequence[Row], cells: Sequence[Cell]) -> list[Verdict]:
    """Return the verdicts on all targets whose cells were measured without errors."""
    return [verdict for row in rows for verdict in _of_row(row, cells)]


def _of_row(row: Row, cells: Sequence[Cell]) -> Iterator[Verdict]:
    sound = {cell.peer: cell for cell in cells if cell.row == row.name and not cell.errors}
    for target in row.targets:
        ours = sound.get(target.of)
        beside = [sound[name] for name in target.peers if name in sound]
        if ours is not None and beside:
            yield _verdict(row, ours, beside, target)


def _verdict(row: Row, ours: Cell, beside: list[Cell], target: Target) -> Verdict:
    best = min(beside, key=lambda cell: cell.cpu_us)
    return Verdict(row.name, best.peer, ours.cpu_us / best.cpu_us, target.most, target.of)


def judged(found: Sequence[Verdict]) -> str:
    """Format the verdicts, one per line."""
    return "\n".join(
        f"{v.row}: {v.of} {v.ratio:.3g} x {v.peer} (at most {v.most:g}): "
        f"{'met' if v.met else 'MISSED'}"
        for v in found
    )
