"""Refusing file formats that can run code when they are loaded."""

import zipfile
from pathlib import Path

from oxlo.weights.errors import UnsafeFormat

_PICKLED = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".ckpt", ".dill")
_PROTOCOLS = range(2, 6)


def check_name(name: str) -> None:
    """Raise UnsafeFormat for file extensions of pickled Python objects."""
    if name.lower().endswith(_PICKLED):
        raise UnsafeFormat(name, "its extension means pickled Python objects")


def check_content(path: Path) -> None:
    """Raise UnsafeFormat for pickles with other extensions."""
    if _is_pickle(path):
        raise UnsafeFormat(path.name, "it holds pickled Python objects")
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            inside = [name for name in archive.namelist() if name.lower().endswith(_PICKLED)]
        if inside:
            raise UnsafeFormat(path.name, f"it contains {inside[0]}, pickled Python objects")


def _is_pickle(path: Path) -> bool:
    """Whether the bytes look like a pickle: a protocol at the start and STOP at the end."""
    with path.open("rb") as file:
        head = file.read(2)
        if len(head) < 2 or head[0] != 0x80 or head[1] not in _PROTOCOLS:
            return False
        file.seek(-1, 2)
        return file.read(1) == b"."
