"""Reads a body's files piece by piece, as fast as they are taken."""

from collections.abc import Iterator

from oxlo.engines.parts import FilePart, Parts

#: So much of a file is read at once: more would only wait in the transport's buffer.
CHUNK = 64 * 1024


def chunks(parts: Parts) -> Iterator[bytes]:
    """The bytes of a body. Raises OSError when a file is away, or shorter than it was."""
    for piece in parts.pieces:
        if isinstance(piece, bytes):
            yield piece
        else:
            yield from _read(piece)


def _read(part: FilePart) -> Iterator[bytes]:
    left = part.size
    with open(part.path, "rb", buffering=0) as file:
        while left:
            chunk = file.read(min(left, CHUNK))
            if not chunk:
                raise OSError(f"{part.path} is shorter than it was")
            left -= len(chunk)
            yield chunk
