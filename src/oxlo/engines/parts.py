"""A request body in pieces, some of them files that are read while the body is sent."""

import secrets
from collections.abc import Iterable

import msgspec

from oxlo.wire.media import File

_QUOTED = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


class FilePart(msgspec.Struct, frozen=True):
    """A piece that is a file; `size` in bytes."""

    path: str
    size: int


class Parts(msgspec.Struct, frozen=True):
    """A body in pieces."""

    pieces: tuple[bytes | FilePart, ...]

    @property
    def size(self) -> int:
        """Total size in bytes."""
        return sum(len(p) if isinstance(p, bytes) else p.size for p in self.pieces)


def form(
    fields: Iterable[tuple[str, str]],
    files: Iterable[tuple[str, File]],
    boundary: str = "",
) -> tuple[str, Parts]:
    """A multipart/form-data body and its content type, with a random `boundary` by default.

    A name may repeat, which is how forms send lists.
    """
    boundary = boundary or secrets.token_hex(16)
    pieces: list[bytes | FilePart] = []
    for name, value in fields:
        pieces.append(f"{_head(boundary, name)}\r\n\r\n{value}\r\n".encode())
    for name, file in files:
        head = f'{_head(boundary, name)}; filename="{_quoted(file.name or name)}"'
        pieces.append(f"{head}\r\ncontent-type: {file.type}\r\n\r\n".encode())
        pieces += (FilePart(file.path, file.size), b"\r\n")
    pieces.append(f"--{boundary}--\r\n".encode())
    return f"multipart/form-data; boundary={boundary}", Parts(tuple(pieces))


def _head(boundary: str, name: str) -> str:
    return f'--{boundary}\r\ncontent-disposition: form-data; name="{_quoted(name)}"'


def _quoted(name: str) -> str:
    """A name as browsers write it in a form's head."""
    return name.translate(_QUOTED)
