"""Charts as inline SVG: pure functions from numbers to marks.

Positions are percentages, so a chart fits any width while its text keeps its size. Colours come
from the stylesheet by class: a style attribute would break the content security policy. Each chart
is labelled for screen readers, and belongs beside a table of the same figures.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from markupsafe import Markup, escape

#: Height in pixels.
HEIGHT = 176
_TOP = 16
_BOTTOM = 24
#: Percentage of the width right of the lines, where provider names fit.
_MARGIN = 24.0
#: Width in pixels of a chart on a phone, and of a letter in its labels.
_PHONE = 300
_LETTER = 7

#: Pixels between the bars of a ranking, and the letters of a name that fit on a phone.
_LINE = 40
_NAME = 36

_ROUND = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)

#: Formats a value.
Formatter = Callable[[float], str]


class Bar(NamedTuple):
    """A bar with its label, and a tooltip that replaces the default one."""

    label: str
    value: float
    note: str = ""


class Line(NamedTuple):
    """A line, named at its end; None values are gaps."""

    name: str
    values: Sequence[float | None]


class Mark(NamedTuple):
    """A labelled vertical mark at a position on the x axis, 0 to 1."""

    position: float
    text: str


def format_count(value: float) -> str:
    """Format a count with thin spaces between thousands."""
    return f"{value:,.0f}".replace(",", "\u202f")


def bars(title: str, values: Sequence[Bar], *, write: Formatter = format_count) -> Markup:
    """Bars of counts from zero; the middle tick of the axis is a whole number too."""
    top = 2 * axis_limit(math.ceil(max((bar.value for bar in values), default=0) / 2))
    step = 100 / max(len(values), 1)
    parts = [_grid(top, write)]
    parts += [_bar(bar, index * step, step, top, write) for index, bar in enumerate(values)]
    parts += _labels([(index * step + step / 2, bar.label) for index, bar in enumerate(values)])
    return _svg(title, parts)


def _bar(bar: Bar, x: float, step: float, top: float, write: Formatter) -> str:
    height = _plot() * bar.value / top
    tooltip = escape(bar.note or f"{bar.label}: {write(bar.value)}")
    return (
        f'<rect class="bar" x="{x + step * 0.12:.2f}%" y="{HEIGHT - _BOTTOM - height:.1f}" '
        f'width="{step * 0.76:.2f}%" height="{height:.1f}"><title>{tooltip}</title></rect>'
    )


def ranking(title: str, values: Sequence[Bar], *, write: Formatter = format_count) -> Markup:
    """Horizontal bars, each below its name: for values without an order in time."""
    top = max((bar.value for bar in values), default=0) or 1
    parts = [_ranked(bar, index * _LINE, top, write) for index, bar in enumerate(values)]
    return _svg(title, parts, height=_LINE * len(values), kind="ranking")


def _ranked(bar: Bar, y: int, top: float, write: Formatter) -> str:
    width, figure = 100 * bar.value / top, escape(write(bar.value))
    tooltip = escape(bar.note or f"{bar.label}: {figure}")
    return (
        f'<g><title>{tooltip}</title><text x="0" y="{y + 12}">{escape(_short(bar.label))}</text>'
        f'<text class="tick" x="100%" y="{y + 12}" text-anchor="end">{figure}</text>'
        f'<rect class="bar" x="0" y="{y + 18}" width="{max(width, 0.2):.2f}%" height="8"/></g>'
    )


def _short(label: str) -> str:
    return label if len(label) <= _NAME else f"{label[: _NAME - 1]}\u2026"


def lines(
    title: str,
    series: Sequence[Line],
    labels: Sequence[str],
    *,
    write: Formatter = format_count,
    marks: Iterable[Mark] = (),
    margin: float = _MARGIN,
) -> Markup:
    """Lines from zero, each named at its end, with `labels` along the x axis.

    `margin`: percentage of the width right of the lines that is reserved for names.
    """
    known = [value for line in series for value in line.values if value is not None]
    top = axis_limit(max(known, default=0))
    width = 100 - margin
    inner = "".join(_polyline(line, number, top) for number, line in enumerate(series))
    parts = [_grid(top, write, width)]
    parts += [_mark(mark, width) for mark in marks]
    parts.append(
        f'<svg x="0" y="{_TOP}" width="{width:g}%" height="{_plot()}" viewBox="0 0 1000 1000" '
        f'preserveAspectRatio="none" overflow="visible">{inner}</svg>'
    )
    parts += _ends(series, top, width)
    last = max(len(labels) - 1, 1)
    parts += _labels([(index / last * width, label) for index, label in enumerate(labels)])
    return _svg(title, parts)


def _polyline(line: Line, number: int, top: float) -> str:
    last = max(len(line.values) - 1, 1)
    runs: list[list[str]] = [[]]
    for index, value in enumerate(line.values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append(f"{index / last * 1000:.1f},{1000 - value / top * 1000:.1f}")
    return "".join(_run(run, number) for run in runs if run)


def _run(points: Sequence[str], number: int) -> str:
    # A line of zero length is drawn as a dot by its round caps.
    alone = len(points) == 1
    path = " ".join([*points, *points] if alone else points)
    return f'<polyline class="line line-{number}{" dot" * alone}" points="{path}"/>'


def _ends(series: Sequence[Line], top: float, width: float) -> list[str]:
    """Names at the ends of the lines, moved apart if they would overlap."""
    ends = []
    for number, line in enumerate(series):
        known = [value for value in line.values if value is not None]
        if known:
            ends.append((HEIGHT - _BOTTOM - _plot() * known[-1] / top, number, line.name))
    texts, above = [], -math.inf
    for y, number, name in sorted(ends):
        above = max(y, above + 15)
        texts.append(
            f'<text class="end end-{number}" x="{width + 1.5:g}%" y="{above:.1f}" dy="4">'
            f"{escape(name)}</text>"
        )
    return texts


def _mark(mark: Mark, width: float) -> str:
    x = mark.position * width
    anchor = "end" if mark.position > 0.5 else "start"
    return (
        f'<line class="mark" x1="{x:.2f}%" x2="{x:.2f}%" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}"/>'
        f'<text class="note" x="{x:.2f}%" dx="{-6 if anchor == "end" else 6}" y="{_TOP + 10}" '
        f'text-anchor="{anchor}">{escape(mark.text)}</text>'
    )


def limit_bar(title: str, used: float, limit: float, forecast: float | None = None) -> Markup:
    """A limit as one bar: the used part filled, a mark at its end, a faint one for the forecast."""
    share = _share(used, limit)
    state = "full" if share >= 100 else "near" if share >= 80 else "room"
    parts = [
        '<rect class="limit-all" x="0" y="6" width="100%" height="8" rx="1"/>',
        f'<rect class="limit-used {state}" x="0" y="6" width="{share:.2f}%" height="8" rx="1"/>',
    ]
    if forecast is not None:
        ahead = _share(forecast, limit)
        parts.append(
            f'<line class="limit-ahead" x1="{ahead:.2f}%" x2="{ahead:.2f}%" y1="2" y2="18"/>'
        )
    parts.append(f'<line class="limit-now" x1="{share:.2f}%" x2="{share:.2f}%" y1="2" y2="18"/>')
    return _svg(title, parts, height=20, kind="limit")


def _share(part: float, total: float) -> float:
    return min(100.0, max(0.0, 100 * part / total)) if total else 100.0


class Phase(NamedTuple):
    """A phase of a request, in milliseconds."""

    name: str
    ms: float


def waterfall(title: str, phases: Sequence[Phase], *, write: Formatter) -> Markup:
    """The phases of a request in sequence, each on its own row with name and duration."""
    total = sum(phase.ms for phase in phases) or 1
    parts, start, row = [], 0.0, 28
    for number, phase in enumerate(phases):
        y, width = number * row, 100 * phase.ms / total
        side = "end" if start > 60 else "start"
        x = start + width if side == "end" else start
        parts.append(
            f'<text class="note" x="{x:.2f}%" y="{y + 11}" text-anchor="{side}">'
            f"{escape(phase.name)} {write(phase.ms)}</text>"
            f'<rect class="phase phase-{number}" x="{start:.2f}%" y="{y + 16}" '
            f'width="{max(width, 0.4):.2f}%" height="8"/>'
        )
        start += width
    return _svg(title, parts, height=row * len(phases), kind="waterfall")


def strip(title: str, states: Sequence[tuple[str, str]]) -> Markup:
    """A row of cells, one per day, as (CSS class, tooltip); for uptime."""
    step = 100 / max(len(states), 1)
    cells = [
        f'<rect class="cell {escape(state)}" x="{index * step:.2f}%" y="0" '
        f'width="{step * 0.8:.2f}%" height="24"><title>{escape(tooltip)}</title></rect>'
        for index, (state, tooltip) in enumerate(states)
    ]
    return _svg(title, cells, height=24, kind="strip")


def axis_limit(highest: float) -> float:
    """The end of an axis: a round number at or above the highest value."""
    if highest <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(highest))
    return next(power * times for times in _ROUND if power * times >= highest * 0.9999)


def _plot() -> int:
    return HEIGHT - _TOP - _BOTTOM


def _grid(top: float, write: Formatter, width: float = 100) -> str:
    """Grid lines at zero, half and the top, with tick labels at their left."""
    parts = []
    for share in (0.0, 0.5, 1.0):
        y = HEIGHT - _BOTTOM - _plot() * share
        parts.append(f'<line class="grid" x1="0" x2="{width:g}%" y1="{y:.1f}" y2="{y:.1f}"/>')
        if share:
            parts.append(
                f'<text class="tick" x="0" dx="-8" y="{y:.1f}" dy="4" text-anchor="end">'
                f"{escape(write(top * share))}</text>"
            )
    return "".join(parts)


def _labels(places: Sequence[tuple[float, str]]) -> list[str]:
    """Labels along the x axis, thinned out to fit on a phone."""
    longest = max((len(label) for _, label in places), default=0)
    capacity = max(1, int(_PHONE / (_LETTER * longest + 12)))
    stride = max(1, math.ceil(len(places) / capacity))
    shown = [item for number, item in enumerate(places) if number % stride == 0 and item[1]]
    return [
        f'<text class="tick" x="{x:.2f}%" y="{HEIGHT - 8}" text-anchor="{_anchor(x)}">'
        f"{escape(label)}</text>"
        for x, label in shown
    ]


def _anchor(x: float) -> str:
    return "end" if x > 96 else "middle"


def _svg(title: str, parts: Iterable[str], *, height: int = HEIGHT, kind: str = "plot") -> Markup:
    return Markup(  # noqa: S704 -- all text in it was escaped above
        f'<svg class="chart {kind}" role="img" aria-label="{escape(title)}" width="100%" '
        f'height="{height}">{"".join(parts)}</svg>'
    )
