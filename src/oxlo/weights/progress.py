"""Reporting the progress of downloads."""

import threading
from typing import Protocol

from oxlo.weights.errors import Stopped


class Progress(Protocol):
    """Progress of one file, called from one thread: `start`, then `advance`, then `done`."""

    def start(self, name: str, total: int) -> None:
        """A download starts or restarts; `total` (bytes) is approximate for archives."""
        ...

    def advance(self, n: int) -> None:
        """More bytes have arrived; negative if bytes are discarded to be fetched again."""
        ...

    def done(self) -> None:
        """The file is in the cache and verified."""
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
