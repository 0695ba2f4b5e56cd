"""Reads a body's files in chunks, as fast as the transport accepts them."""

from collections.abc import Iterator

from oxlo.engines.parts import FilePart, Parts

#: Chunk size; more would only wait in the transport's buffer.
CHUNK = 64 * 1024


def chunks(parts: Parts) -> Iterator[bytes]:
    """The bytes of a body. Raises OSError if a file is missing or was truncated."""
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
