"""Charts: marks where the figures say, words that cannot break out."""

from xml.etree import ElementTree as ET

import pytest

from oxlo.portal import charts
from oxlo.portal.charts import Bar, Line, Mark, Phase


def drawn(svg: str) -> ET.Element:
    """The chart as a tree: it is well-formed, or this raises."""
    return ET.fromstring(svg)


def test_bars_start_at_zero() -> None:
    """Half the value is half the height."""
    svg = drawn(charts.bars("Requests", [Bar("Mon", 50), Bar("Tue", 100), Bar("Wed", 0)]))
    heights = [float(rect.attrib["height"]) for rect in svg.iter("rect")]
    assert heights[0] * 2 == pytest.approx(heights[1])
    assert heights[2] == 0


def test_ranked_bars_have_names() -> None:
    """Each line has its name and its figure; the longest bar fills the width, names fit a phone."""
    svg = drawn(charts.ranking("By key", [Bar("ci", 1200), Bar("a" * 60, 300)]))
    words = [text.text for text in svg.iter("text")]
    assert words == ["ci", "1\u202f200", "a" * 35 + "\u2026", "300"]
    assert [rect.attrib["width"] for rect in svg.iter("rect")] == ["100.00%", "25.00%"]


def test_lines_are_named_at_their_ends() -> None:
    """No legend: each name stands at its line's last point, apart from the others."""
    svg = drawn(charts.lines("Latency", [Line("p50", [1, 2, 3]), Line("p95", [2, 3, 3])], ["a"]))
    ends = {
        text.text: float(text.attrib["y"])
        for text in svg.iter("text")
        if text.attrib["class"].startswith("end")
    }
    assert set(ends) == {"p50", "p95"}
    assert abs(ends["p50"] - ends["p95"]) >= 15


def test_gaps_break_a_line() -> None:
    """A day without figures is no day of zero."""
    svg = drawn(charts.lines("x", [Line("p50", [1, None, 3, 4])], []))
    first, rest = svg.iter("polyline")
    assert "dot" in first.attrib["class"]
    assert "dot" not in rest.attrib["class"]


def test_limit_bar_has_now_and_forecast() -> None:
    """Marks stand at what is used and at what is expected, never beyond the end."""
    svg = drawn(charts.limit_bar("37 of 60", 37, 60, forecast=90))
    marks = {line.attrib["class"]: line.attrib["x1"] for line in svg.iter("line")}
    assert marks == {"limit-ahead": "100.00%", "limit-now": "61.67%"}


def test_words_are_escaped() -> None:
    """A name from outside stays a name."""
    evil = '"><script>alert(1)</script>'
    for svg in (
        charts.bars(evil, [Bar(evil, 1, evil)]),
        charts.ranking(evil, [Bar(evil, 1, evil)]),
        charts.lines(evil, [Line(evil, [1])], [evil], marks=[Mark(0.5, evil)]),
        charts.waterfall(evil, [Phase(evil, 1)], write=str),
        charts.strip(evil, [("ok", evil)]),
    ):
        assert "<script" not in svg
        drawn(svg)


def test_nothing_is_a_chart_too() -> None:
    """No figures: an empty chart, not an error."""
    drawn(charts.bars("x", []))
    drawn(charts.ranking("x", []))
    drawn(charts.lines("x", [Line("p50", [])], []))


def test_no_style_attribute() -> None:
    """The content security policy takes none."""
    assert "style=" not in charts.lines("x", [Line("a", [1, 2])], ["a", "b"])


@pytest.mark.parametrize(
    ("highest", "end"), [(0, 1), (3, 3), (217, 250), (100, 100), (101, 150), (0.031, 0.04)]
)
def test_axes_end_at_round_numbers(highest: float, end: float) -> None:
    """A reader can halve them in the head."""
    assert charts.axis_limit(highest) == pytest.approx(end)
