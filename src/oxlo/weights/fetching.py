"""Puts a weights file into the cache: the sources in order, each reason kept."""

import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path

from oxlo.catalogue import Source, WeightsFile
from oxlo.weights import formats, sources
from oxlo.weights.cache import Slot, sha256
from oxlo.weights.errors import Corrupt, NoSource, SourceFailed, UnsafeFormat, WrongHash
from oxlo.weights.hub import PUBLIC, Hub
from oxlo.weights.pieces import join
from oxlo.weights.progress import Progress, Silent, Stoppable


def present(file: WeightsFile, directory: Path, *, verify: bool = False) -> Path | None:
    """The file's path when it is in the cache with the right hash, else None.

    Takes milliseconds while size and time are those of the last check; `verify` reads it anyway.
    """
    return Slot(file, directory).present(verify=verify)


def fetch(
    file: WeightsFile,
    directory: Path,
    progress: Progress | None = None,
    *,
    hub: Hub = PUBLIC,
    verify: bool = False,
) -> Path:
    """The file's path in the cache, fetched first where it is missing.

    Raises NoSource, WrongHash (all sources hold another file), DiskFull, UnsafeFormat.
    """
    formats.check_name(file.name)
    slot = Slot(file, directory)
    if here := slot.present(verify=verify):
        return here
    with slot.locked():
        # Another process may have fetched it while this one waited for the lock.
        return slot.present() or _Fetch(file, slot, progress or Silent(), hub).run()


def fetch_all(
    files: Sequence[WeightsFile],
    directory: Path,
    progress: Callable[[], Progress] = Silent,
    *,
    hub: Hub = PUBLIC,
    at_once: int = 4,
) -> list[Path]:
    """Fetch several files in parallel; `progress` makes one for each.

    The first that fails stops the others, whose downloads are kept; so does an interrupt.
    """
    stop = threading.Event()
    with ThreadPoolExecutor(at_once, "weights") as pool:
        running = [
            pool.submit(fetch, file, directory, Stoppable(progress(), stop), hub=hub)
            for file in files
        ]
        try:
            done, _ = wait(running, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
    return [future.result() for future in running]


class _Fetch:
    """One file that is missing."""

    def __init__(self, file: WeightsFile, slot: Slot, progress: Progress, hub: Hub) -> None:
        self._file = file
        self._slot = slot
        self._progress = progress
        self._hub = hub

    def run(self) -> Path:
        """The first source that gives the file wins."""
        failures: list[tuple[str, SourceFailed]] = []
        for source in self._file.sources:
            try:
                path = self._slot.commit(self._from(source))
            except SourceFailed as error:
                failures.append((sources.title(source), error))
            else:
                self._progress.done()
                return path
        if failures and all(isinstance(error, WrongHash) for _, error in failures):
            raise failures[0][1]
        raise NoSource(self._file.name, failures)

    def _from(self, source: Source) -> Path:
        """The file, verified, in the work folder. An interrupted download stays there."""
        work = self._slot.workspace(f"{sources.title(source)} {source.path}")
        try:
            return self._twice(source, work)
        except (Corrupt, UnsafeFormat):
            shutil.rmtree(work)
            raise

    def _twice(self, source: Source, work: Path) -> Path:
        """What is damaged is fetched once more, from zero."""
        try:
            return self._attempt(source, work)
        except Corrupt:
            shutil.rmtree(work)
            work.mkdir()
        return self._attempt(source, work)

    def _attempt(self, source: Source, work: Path) -> Path:
        self._slot.check_room(source)
        self._progress.start(self._file.name, self._file.size)
        with self._slot.full_disk_explained(source):
            pieces = sources.gather(source, work, self._progress, self._hub)
            draft = work / "draft"
            if len(pieces) == 1 and pieces[0].member is None:
                sources.adopt(pieces[0].path, draft)
                found = sha256(draft)
            else:
                found = join(pieces, draft)
        if found != self._file.sha256:
            raise WrongHash(self._file.name, sources.title(source), self._file.sha256, found)
        formats.check_content(draft)
        return draft
