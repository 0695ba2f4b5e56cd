"""Files of one model that belong into folders: `DIRECTORY/trees/<digest>/<name>`, links all.

A pipeline of several networks is loaded from a folder. Its files are in the cache by their
hashes like all others; here each has its name again.
"""

import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from oxlo.catalogue import WeightsFile
from oxlo.weights.cache import Slot


def is_tree(files: Sequence[WeightsFile]) -> bool:
    """Whether the files are one folder: some have names with folders in them."""
    return any("/" in file.name for file in files)


def ready(
    files: Sequence[WeightsFile], directory: Path, *, folder: bool = False
) -> list[Path] | None:
    """What an engine is given: each file's path, or the one folder of all; None if any lacks.

    It is a `folder` where the engine takes nothing else, or where names have folders in them. It is
    laid out here where `directory` has none yet. Raises OSError if that fails.
    """
    paths = [Slot(file, directory).present() for file in files]
    here = [path for path in paths if path is not None]
    if len(here) < len(files):
        return None
    return [lay_out(files, directory)] if folder or is_tree(files) else here


def lay_out(files: Sequence[WeightsFile], directory: Path) -> Path:
    """The folder of the files, all of which are in the cache; made in one step if it is missing."""
    folder = directory / "trees" / _digest(files)
    if folder.is_dir():
        return folder
    folder.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        draft = Path(name) / "draft"
        for file in files:
            _link(draft / file.name, Slot(file, directory).path, folder / file.name)
        # Somebody else may have been faster; then theirs is the same.
        _move(draft, folder)
    return folder


def _link(link: Path, target: Path, final: Path) -> None:
    """A link that is right once the draft has its final place, and when the cache is moved."""
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(os.path.relpath(target, final.parent))


def _move(draft: Path, folder: Path) -> None:
    try:
        draft.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


def _digest(files: Sequence[WeightsFile]) -> str:
    """Changes with any file's name or content."""
    lines = sorted(f"{file.sha256} {file.name}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
