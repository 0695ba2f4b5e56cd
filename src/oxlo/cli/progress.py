"""Progress of downloads: bars on a terminal, a few plain lines elsewhere."""

import contextlib
from collections.abc import Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from oxlo import weights

_STEP = 25  # percent between two plain lines
_MB = 1_000_000
#: Bytes; what is smaller is there before anybody has read its name.
_WORTH_TELLING = _MB // 2


class Meters:
    """Makes one meter for each file; a context manager, because bars redraw themselves."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=self._console,
        )

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Draw the bars, if this is a terminal, until the block ends."""
        with self._bars if self._console.is_terminal else contextlib.nullcontext():
            yield

    def meter(self) -> weights.Progress:
        """A meter for one file."""
        return Bar(self._bars) if self._console.is_terminal else Lines(self._console)


class Bar:
    """One bar; it appears when its download begins, unless that is small."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._task: TaskID | None = None
        self._total = 0

    def start(self, name: str, total: int) -> None:
        """Show the bar at nothing."""
        self._total = total
        if total < _WORTH_TELLING:
            return
        if self._task is None:
            self._task = self._bars.add_task(name, total=total)
        else:
            self._bars.reset(self._task, total=total)

    def advance(self, n: int) -> None:
        """Move the bar."""
        if self._task is not None:
            self._bars.advance(self._task, n)

    def done(self) -> None:
        """Fill the bar: archives are a little smaller than what is in them."""
        if self._task is not None:
            self._bars.update(self._task, completed=self._total)


class Lines:
    """A line at the start, at each quarter, and at the end; none for what is small."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._name = ""
        self._total = 0
        self._got = 0
        self._told = 0

    def start(self, name: str, total: int) -> None:
        """Say what is fetched."""
        self._name, self._total, self._got, self._told = name, total, 0, 0
        self._say(f"fetching {name} ({total / _MB:,.0f} MB)")

    def advance(self, n: int) -> None:
        """Say each quarter once."""
        self._got += n
        percent = 100 * self._got // max(1, self._total) // _STEP * _STEP
        if self._told < percent < 100:
            self._told = percent
            self._say(f"{self._name}: {percent}%")

    def done(self) -> None:
        """Say that it is there."""
        self._say(f"{self._name}: done")

    def _say(self, text: str) -> None:
        if self._total < _WORTH_TELLING:
            return
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)
