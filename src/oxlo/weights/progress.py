"""How a download says how far it is."""

import threading
from typing import Protocol

from oxlo.weights.errors import Stopped


class Progress(Protocol):
    """Hears about one file, from one thread: `start`, any number of `advance`, `done`."""

    def start(self, name: str, total: int) -> None:
        """A download begins, or begins anew; `total` in bytes is close: archives are compressed."""
        ...

    def advance(self, n: int) -> None:
        """So many more bytes are here; negative where bytes proved bad and are fetched again."""
        ...

    def done(self) -> None:
        """The file is in the cache, verified."""
        ...


class Silent:
    """Says nothing."""

    def start(self, name: str, total: int) -> None:
        """Nothing."""

    def advance(self, n: int) -> None:
        """Nothing."""

    def done(self) -> None:
        """Nothing."""


class Stoppable:
    """Passes on to another Progress, and ends the download once `stop` is set."""

    def __init__(self, inner: Progress, stop: threading.Event) -> None:
        self._inner = inner
        self._stop = stop

    def start(self, name: str, total: int) -> None:
        """Pass on."""
        self._inner.start(name, total)

    def advance(self, n: int) -> None:
        """Pass on. Raises Stopped."""
        if self._stop.is_set():
            raise Stopped
        self._inner.advance(n)

    def done(self) -> None:
        """Pass on."""
        self._inner.done()
