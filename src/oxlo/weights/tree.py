"""Models that are folders of files: `DIRECTORY/trees/<digest>/<name>`, as symbolic links.

A diffusers pipeline, for example, is loaded from a folder. Its files are in the cache by sha256;
here they have their names again.
"""

import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from oxlo.catalogue import WeightsFile
from oxlo.weights.cache import Slot


def is_tree(files: Sequence[WeightsFile]) -> bool:
    """Whether any file name contains a folder."""
    return any("/" in file.name for file in files)


def ready(
    files: Sequence[WeightsFile], directory: Path, *, folder: bool = False
) -> list[Path] | None:
    """The paths for an engine: all files, or their folder; None if a file is missing.

    It is a folder if the engine requires a `folder`, or if names contain folders. It is created if
    necessary. Raises OSError if that fails.
    """
    paths = [Slot(file, directory).present() for file in files]
    here = [path for path in paths if path is not None]
    if len(here) < len(files):
        return None
    return [lay_out(files, directory)] if folder or is_tree(files) else here


def lay_out(files: Sequence[WeightsFile], directory: Path) -> Path:
    """Create the folder of cached files atomically, if it does not exist yet."""
    folder = directory / "trees" / _digest(files)
    if folder.is_dir():
        return folder
    folder.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        draft = Path(name) / "draft"
        for file in files:
            _link(draft / file.name, Slot(file, directory).path, folder / file.name)
        # Another process may have created the same folder.
        _move(draft, folder)
    return folder


def _link(link: Path, target: Path, final: Path) -> None:
    """A relative link that is valid at the final path, and survives moving the cache."""
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(os.path.relpath(target, final.parent))


def _move(draft: Path, folder: Path) -> None:
    try:
        draft.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


def _digest(files: Sequence[WeightsFile]) -> str:
    """A digest of all names and contents."""
    lines = sorted(f"{file.sha256} {file.name}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
