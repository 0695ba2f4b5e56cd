"""Charts: positions of marks, and escaping of text."""

from xml.etree import ElementTree as ET

import pytest

from oxlo.portal import charts
from oxlo.portal.charts import Bar, Line, Mark, Phase


def drawn(svg: str) -> ET.Element:
    """Parse the chart; raises if it is not well-formed."""
    return ET.fromstring(svg)


def test_bars_start_at_zero() -> None:
    """Half the value has half the height."""
    svg = drawn(charts.bars("Requests", [Bar("Mon", 50), Bar("Tue", 100), Bar("Wed", 0)]))
    heights = [float(rect.attrib["height"]) for rect in svg.iter("rect")]
    assert heights[0] * 2 == pytest.approx(heights[1])
    assert heights[2] == 0


def test_ranked_bars_have_names() -> None:
    """Each bar has its name and value; the longest fills the width, and long names are cut."""
    svg = drawn(charts.ranking("By key", [Bar("ci", 1200), Bar("a" * 60, 300)]))
    words = [text.text for text in svg.iter("text")]
    assert words == ["ci", "1\u202f200", "a" * 35 + "\u2026", "300"]
    assert [rect.attrib["width"] for rect in svg.iter("rect")] == ["100.00%", "25.00%"]


def test_lines_are_named_at_their_ends() -> None:
    """There is no legend: names are at the lines' ends, without overlapping."""
    svg = drawn(charts.lines("Latency", [Line("p50", [1, 2, 3]), Line("p95", [2, 3, 3])], ["a"]))
    ends = {
        text.text: float(text.attrib["y"])
        for text in svg.iter("text")
        if text.attrib["class"].startswith("end")
    }
    assert set(ends) == {"p50", "p95"}
    assert abs(ends["p50"] - ends["p95"]) >= 15


def test_gaps_break_a_line() -> None:
    """A day without data is not drawn as zero."""
    svg = drawn(charts.lines("x", [Line("p50", [1, None, 3, 4])], []))
    first, rest = svg.iter("polyline")
    assert "dot" in first.attrib["class"]
    assert "dot" not in rest.attrib["class"]


def test_limit_bar_has_now_and_forecast() -> None:
    """Marks are at the usage and the forecast, never beyond the end."""
    svg = drawn(charts.limit_bar("37 of 60", 37, 60, forecast=90))
    marks = {line.attrib["class"]: line.attrib["x1"] for line in svg.iter("line")}
    assert marks == {"limit-ahead": "100.00%", "limit-now": "61.67%"}


def test_words_are_escaped() -> None:
    """Markup in a name is escaped."""
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
    """Without data the chart is empty, not an error."""
    drawn(charts.bars("x", []))
    drawn(charts.ranking("x", []))
    drawn(charts.lines("x", [Line("p50", [])], []))


def test_no_style_attribute() -> None:
    """The content security policy forbids style attributes."""
    assert "style=" not in charts.lines("x", [Line("a", [1, 2])], ["a", "b"])


@pytest.mark.parametrize(
    ("highest", "end"), [(0, 1), (3, 3), (217, 250), (100, 100), (101, 150), (0.031, 0.04)]
)
def test_axes_end_at_round_numbers(highest: float, end: float) -> None:
    """The axis ends at a round number at or above the highest value."""
    assert charts.axis_limit(highest) == pytest.approx(end)
