"""Archives that files are taken out of: `DIRECTORY/archives/<digest>`, each fetched once.

Several files of a model, or of several models, may come out of one archive. It stays until all of
them are out, and for the next time where something failed.
"""

import contextlib
import fcntl
import hashlib
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from oxlo.catalogue import Source


class Archives:
    """The archives that are being used."""

    def __init__(self, directory: Path) -> None:
        self._folder = directory / "archives"

    @contextlib.contextmanager
    def held(self, source: Source) -> Iterator[list[Path]]:
        """A folder for each archive of a source, in order, while nobody else uses any of them."""
        with contextlib.ExitStack() as stack:
            for spec in sorted(set(specs(source))):  # in one order: two never wait for each other
                stack.enter_context(self._locked(spec))
            yield [self._place(spec) for spec in specs(source)]

    @contextlib.contextmanager
    def _locked(self, spec: str) -> Iterator[None]:
        """The lock file stays: deleting it would let two holders lock two different files."""
        place = self._place(spec)
        place.mkdir(parents=True, exist_ok=True)
        with place.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            place.mkdir(exist_ok=True)  # whoever held it may have cleared it
            yield

    def clear(self, sources: Iterable[Source]) -> None:
        """Give the archives of these sources up."""
        for spec in {spec for source in sources for spec in specs(source)}:
            if self._place(spec).exists():
                with self._locked(spec):
                    shutil.rmtree(self._place(spec))

    def _place(self, spec: str) -> Path:
        return self._folder / hashlib.sha256(spec.encode()).hexdigest()[:16]


def specs(source: Source) -> tuple[str, ...]:
    """The archives of a source; none where it is of another kind."""
    return source.wheel or source.npm
