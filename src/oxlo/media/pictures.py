"""Inspecting images: complete, of a supported type, and not too large."""

import struct
import zlib
from pathlib import Path
from typing import IO

from PIL import Image, UnidentifiedImageError

from oxlo.media import sniff, structure
from oxlo.media.structure import TooManyParts
from oxlo.wire.decode import invalid

_FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
#: What Pillow raises for damaged images.
_BROKEN = (OSError, SyntaxError, ValueError, struct.error, zlib.error, EOFError, IndexError)

#: Our own limit applies instead; it is checked before decoding.
Image.MAX_IMAGE_PIXELS = None


def ready() -> None:
    """Load Pillow's decoders now, so that the first image does not wait for them."""
    Image.init()


def examine(path: str, param: str, megapixels: int) -> tuple[str, int, int]:
    """Inspect an image file: its type, width and height. Raises BadRequest."""
    kind = _kind(path, param)
    try:
        structure.check(kind, Path(path).read_bytes())
        width, height = _bounded(path, param, megapixels)
        _decode(path)
    except TooManyParts as parts:
        raise invalid(param, f"this {kind} has {parts}; save it anew.") from None
    except UnidentifiedImageError:
        raise invalid(param, f"this {kind} cannot be read.") from None
    except _BROKEN as error:
        raise invalid(param, f"this {kind} is broken or cut short ({error}).") from None
    return kind, width, height


def _kind(path: str, param: str) -> str:
    """The media type. Raises BadRequest if it is not an image that is supported."""
    with Path(path).open("rb") as file:
        head = file.read(sniff.HEAD)
    if kind := sniff.picture(head):
        return kind
    if other := sniff.other_picture(head):
        raise invalid(param, f"this is {other}; send {sniff.PICTURES}.")
    raise invalid(param, f"this is not a picture ({sniff.PICTURES}).")


def write_png(path: str, out: IO[bytes]) -> None:
    """Convert the first frame of an inspected image to PNG."""
    with Image.open(path, formats=_FORMATS) as image:
        whole = image.convert("RGBA" if image.has_transparency_data else "RGB")
    whole.save(out, "PNG", compress_level=1)  # a short-lived local file


def _bounded(path: str, param: str, megapixels: float) -> tuple[int, int]:
    with Image.open(path, formats=_FORMATS) as image:
        width, height = image.size
    if width * height > megapixels * 1_000_000:
        raise invalid(
            param, f"{width}x{height} pixels are more than {megapixels} megapixels; shrink it."
        )
    return width, height


def _decode(path: str) -> None:
    """Decode the first frame; a JPEG at an eighth of its size, which also reads the whole file."""
    with Image.open(path, formats=_FORMATS) as image:
        image.draft("RGB", (image.width // 8, image.height // 8))
        image.load()
