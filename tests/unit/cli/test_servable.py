"""Which models this machine can serve, and what the others need."""

from pathlib import Path

import pytest

from oxlo import catalogue
from oxlo.cli.servable import Need, Verdict, paragraphs, verdicts
from oxlo.hardware.sizing import Gpu, Machine
from oxlo.weights import Hub, Stock

SMALL = Machine(cores=2, memory_mb=8000)
L40S = Machine(cores=2, memory_mb=8000, gpus=(Gpu(0, "NVIDIA L40S", 46_068),))


@pytest.fixture
def stock(tmp_path: Path) -> Stock:
    """A stock without weights."""
    return Stock(tmp_path / "weights", tmp_path / "pins", tmp_path / "supplied", Hub())


def verdict(name: str, here: Machine, stock: Stock, remedy: str = "") -> Verdict:
    (found,) = verdicts([catalogue.load().resolve(name)], here, stock, lambda _: remedy)
    return found


@pytest.mark.parametrize(
    ("name", "here", "need", "heading", "detail"),
    [
        ("smollm2-135m", SMALL, Need.WEIGHTS, "oxlo models pull", "98 MB"),
        ("llama-3.2-3b", SMALL, Need.WEIGHTS, "oxlo models pull", ""),
        ("yolov9", SMALL, Need.OWN_FILE, "oxlo models show", ""),
        ("gpt-oss-20b", SMALL, Need.MEMORY, "8,000 MiB here", "14,500 MiB"),
        ("gpt-oss-20b", L40S, Need.WEIGHTS, "oxlo models pull", ""),
        ("gemma-27b", SMALL, Need.HARDWARE, "Need l40s or a100", ""),
        ("gemma-27b", L40S, Need.WEIGHTS, "oxlo models pull", ""),
        ("llama-3.3-70b", L40S, Need.HARDWARE, "Need 2 x l40s or 2 x a100", ""),
    ],
)
def test_what_is_missing(
    stock: Stock, name: str, here: Machine, need: Need, heading: str, detail: str
) -> None:
    """The result is the hardest need."""
    found = verdict(name, here, stock)
    assert (found.need, found.detail) == (need, detail)
    assert heading in found.heading


def test_a_library_comes_before_weights(stock: Stock) -> None:
    """A missing library is reported before missing weights."""
    found = verdict("smollm2-135m", SMALL, stock, "pip install x")
    assert (found.need, found.heading) == (Need.LIBRARY, "Need a library (pip install x)")


def test_nothing_is_missing(stock: Stock) -> None:
    """A model with its file can be served."""
    stock.supplied.mkdir()
    (stock.supplied / "yolov9.onnx").write_bytes(b"onnx")
    assert verdict("yolov9", SMALL, stock).need is Need.NOTHING


def test_paragraphs() -> None:
    """Models with the same need are grouped, servable ones first."""
    said = [
        Verdict(Need.HARDWARE, "Need a100", "b"),
        Verdict(Need.WEIGHTS, "Need their weights", "a", "5 MB"),
        Verdict(Need.HARDWARE, "Need a100", "c"),
        Verdict(Need.NOTHING, "Can be served now", "d"),
    ]
    assert list(paragraphs(said)) == [
        "Can be served now:\n  d",
        "Need their weights:\n  a (5 MB)",
        "Need a100:\n  b, c",
    ]
