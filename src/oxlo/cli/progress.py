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
#: Smaller downloads, in bytes, end too fast to be shown.
_MIN_BYTES = _MB // 2


class Meters:
    """Creates a meter per file."""

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
        """Show the bars until the block ends, if stderr is a terminal."""
        with self._bars if self._console.is_terminal else contextlib.nullcontext():
            yield

    def meter(self) -> weights.Progress:
        """Create the meter of one file."""
        return Bar(self._bars) if self._console.is_terminal else Lines(self._console)


class Bar:
    """A progress bar, shown when its download starts, except for small ones."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._task: TaskID | None = None
        self._total = 0

    def start(self, name: str, total: int) -> None:
        """Show the bar at 0."""
        self._total = total
        if total < _MIN_BYTES:
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
        """Complete the bar, because archives may be a little smaller than their content."""
        if self._task is not None:
            self._bars.update(self._task, completed=self._total)


class Lines:
    """Plain lines at the start, each quarter and the end, except for small downloads."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._name = ""
        self._total = 0
        self._received = 0
        self._printed = 0

    def start(self, name: str, total: int) -> None:
        """Print the name and size."""
        self._name, self._total, self._received, self._printed = name, total, 0, 0
        self._print(f"fetching {name} ({total / _MB:,.0f} MB)")

    def advance(self, n: int) -> None:
        """Print each quarter once."""
        self._received += n
        percent = 100 * self._received // max(1, self._total) // _STEP * _STEP
        if self._printed < percent < 100:
            self._printed = percent
            self._print(f"{self._name}: {percent}%")

    def done(self) -> None:
        """Print the end."""
        self._print(f"{self._name}: done")

    def _print(self, text: str) -> None:
        if self._total < _MIN_BYTES:
            return
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)
