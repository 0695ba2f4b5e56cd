"""Fetching weights files into the cache, trying all sources in order."""

import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path

from oxlo.catalogue import Source, WeightsFile
from oxlo.weights import formats, sources
from oxlo.weights.archives import Archives
from oxlo.weights.cache import Slot, sha256
from oxlo.weights.errors import Corrupt, NoSource, SourceFailed, UnsafeFormat, WrongHash
from oxlo.weights.hub import PUBLIC, Hub
from oxlo.weights.pieces import Piece, join
from oxlo.weights.progress import Progress, Silent, Stoppable


def present(file: WeightsFile, directory: Path, *, verify: bool = False) -> Path | None:
    """The path of a cached file with the right hash, or None.

    Fast while size and modification time are unchanged; `verify` hashes it in any case.
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
    """The path of a file in the cache, fetching it if necessary.

    Raises NoSource, WrongHash (all sources hold another file), DiskFull, UnsafeFormat.
    """
    if verify:
        present(file, directory, verify=True)
    path = _fetch(file, directory, progress or Silent(), hub)
    Archives(directory).clear(file.sources)
    return path


def _fetch(file: WeightsFile, directory: Path, progress: Progress, hub: Hub) -> Path:
    formats.check_name(file.name)
    slot = Slot(file, directory)
    if here := slot.present():
        return here
    with slot.locked():
        # Another process may have fetched it while we waited for the lock.
        return slot.present() or _Fetch(file, slot, Archives(directory), progress, hub).run()


def fetch_all(
    files: Sequence[WeightsFile],
    directory: Path,
    progress: Callable[[], Progress] = Silent,
    *,
    hub: Hub = PUBLIC,
    at_once: int = 4,
) -> list[Path]:
    """Fetch several files in parallel; `progress` creates one Progress per file.

    The first failure, or an interrupt, stops the others; partial downloads are kept.
    """
    stop = threading.Event()
    with ThreadPoolExecutor(at_once, "weights") as pool:
        running = [
            pool.submit(_fetch, file, directory, Stoppable(progress(), stop), hub) for file in files
        ]
        try:
            done, _ = wait(running, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
    Archives(directory).clear(source for file in files for source in file.sources)
    return [future.result() for future in running]


class _Fetch:
    """The fetch of one missing file."""

    def __init__(
        self, file: WeightsFile, slot: Slot, archives: Archives, progress: Progress, hub: Hub
    ) -> None:
        self._file = file
        self._slot = slot
        self._archives = archives
        self._progress = progress
        self._hub = hub

    def run(self) -> Path:
        """Try the sources in order."""
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
        """Fetch from one source to the work folder, and verify; partial downloads stay there."""
        work = self._slot.workspace(f"{sources.title(source)} {source.path}")
        try:
            return self._twice(source, work)
        except (Corrupt, UnsafeFormat):
            self._forget(source, work)
            raise

    def _twice(self, source: Source, work: Path) -> Path:
        """Fetch a damaged file once more from the beginning."""
        try:
            return self._attempt(source, work)
        except Corrupt:
            self._forget(source, work)
            work.mkdir()
        return self._attempt(source, work)

    def _forget(self, source: Source, work: Path) -> None:
        shutil.rmtree(work)
        self._archives.clear([source])

    def _attempt(self, source: Source, work: Path) -> Path:
        self._slot.check_room(source)
        self._progress.start(self._file.name, self._file.size)
        draft = work / "draft"
        with self._slot.full_disk_explained(source), self._archives.held(source) as archives:
            pieces = sources.gather(source, work, archives, self._progress, self._hub)
            found = _put(pieces, draft)
        if found != self._file.sha256:
            raise WrongHash(self._file.name, sources.title(source), self._file.sha256, found)
        formats.check_content(draft)
        return draft


def _put(pieces: Sequence[Piece], draft: Path) -> str:
    """Join the pieces to `draft`; returns its sha256."""
    if len(pieces) == 1 and pieces[0].member is None:
        sources.adopt(pieces[0].path, draft)
        return sha256(draft)
    return join(pieces, draft)
