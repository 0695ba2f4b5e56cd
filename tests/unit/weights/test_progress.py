"""What a download says, and that it can be stopped."""

import threading
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from tests.unit.weights.shelf import CONTENT, HUB_PATH, Shelf, hub, weights_file

from oxlo import weights
from oxlo.cli.progress import Meters
from oxlo.weights.progress import Stoppable


def test_plain_lines(shelf: Shelf, tmp_path: Path) -> None:
    """Where there is no terminal a download takes a handful of lines."""
    shelf.files[HUB_PATH] = CONTENT
    said = StringIO()
    meter = Meters(Console(file=said)).meter()
    weights.fetch(weights_file(hub()), tmp_path, meter, hub=shelf.hub)
    lines = said.getvalue().splitlines()
    assert lines[0] == "fetching m.gguf (1 MB)"
    assert lines[-1] == "m.gguf: done"
    assert len(lines) <= 5


def test_bar_on_a_terminal(shelf: Shelf, tmp_path: Path) -> None:
    """On a terminal there is a bar, full at the end."""
    shelf.files[HUB_PATH] = CONTENT
    said = StringIO()
    meters = Meters(Console(file=said, force_terminal=True, width=120))
    with meters.shown():
        weights.fetch(weights_file(hub()), tmp_path, meters.meter(), hub=shelf.hub)
    assert "1.0/1.0 MB" in said.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_small_files_are_fetched_quietly(terminal: bool) -> None:
    """A repository has a dozen of them: a line for each would hide the large one."""
    said = StringIO()
    meters = Meters(Console(file=said, force_terminal=terminal, width=120))
    with meters.shown():
        meter = meters.meter()
        meter.start("config.json", 2_000)
        meter.advance(2_000)
        meter.done()
    assert "config.json" not in said.getvalue()


def test_counts_every_byte_once(shelf: Shelf, tmp_path: Path) -> None:
    """Cuts and resumptions do not make the count wrong."""
    shelf.files[HUB_PATH] = CONTENT
    shelf.cuts = [100_000, 300_000]
    counter = Counter()
    weights.fetch(weights_file(hub()), tmp_path, counter, hub=shelf.hub)
    assert counter.bytes == len(CONTENT)


class Counter(weights.Silent):
    bytes = 0

    def advance(self, n: int) -> None:
        self.bytes += n


class StopsItself(weights.Silent):
    """Sets the event with the first bytes, as a failure of another file would."""

    def __init__(self) -> None:
        self.stop = threading.Event()

    def advance(self, n: int) -> None:
        if n > 0:
            self.stop.set()


def test_stopped_keeps_its_part(shelf: Shelf, tmp_path: Path) -> None:
    """A download that is told to stop does so at its next bytes, and keeps what it has."""
    shelf.files[HUB_PATH], shelf.cuts = CONTENT, [100_000]
    meter = StopsItself()
    with pytest.raises(weights.Stopped):
        weights.fetch(weights_file(hub()), tmp_path, Stoppable(meter, meter.stop), hub=shelf.hub)
    weights.fetch(weights_file(hub()), tmp_path, hub=shelf.hub)
    assert [asked is None for _, asked, _ in shelf.seen].count(True) == 1
