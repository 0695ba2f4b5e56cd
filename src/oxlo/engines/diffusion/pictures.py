"""Pictures as bytes: encoded for a reply, and read from what a caller sent."""

import io
from typing import BinaryIO

from PIL import Image, ImageOps

from oxlo.errors import BadRequest
from oxlo.wire.images import OutputFormat
from oxlo.wire.sizes import Size

#: Pixels that a picture may have.
MOST_PIXELS = 50_000_000
#: Those that are read; Pillow knows many more, few of which were ever attacked less.
_READ = ("PNG", "JPEG", "GIF", "WEBP")
#: As at OpenAI, nothing is lost that need not be.
_QUALITY = 100


def encode(image: Image.Image, kind: OutputFormat, quality: int | None) -> bytes:
    """The file; the same picture gives the same bytes. `quality` is 0 to 100, for jpeg and webp."""
    file = io.BytesIO()
    if kind == "png":
        image.save(file, "PNG")
    else:
        image.save(file, kind.upper(), quality=_QUALITY if quality is None else quality)
    return file.getvalue()


def read(file: BinaryIO, param: str) -> Image.Image:
    """A picture, upright; it may have transparent parts. Raises BadRequest."""
    try:
        image = Image.open(file, formats=_READ)
        if image.width * image.height <= MOST_PIXELS:
            return ImageOps.exif_transpose(image).convert("RGBA")
    except Image.DecompressionBombError:
        pass
    except (OSError, SyntaxError, ValueError):
        raise _unreadable(param, "it is no whole PNG, JPEG, GIF or WebP picture") from None
    raise _unreadable(param, f"it has more than {MOST_PIXELS:,} pixels")


def _unreadable(param: str, why: str) -> BadRequest:
    return BadRequest(f"'{param}' cannot be read: {why}.", param=param, code="invalid_image")


def opaque(image: Image.Image, size: Size) -> Image.Image:
    """A picture of this size, on white: what it has too much of one side is cut off evenly."""
    ground = Image.new("RGBA", image.size, "white")
    return _fitted(Image.alpha_composite(ground, image).convert("RGB"), size)


def mask(image: Image.Image, size: Size) -> Image.Image:
    """White where the picture is drawn anew.

    As at OpenAI that is where the mask is transparent; one without transparency is white there.
    """
    alpha = image.getchannel("A")
    if alpha.getextrema() == (255, 255):
        return _fitted(image.convert("L"), size)
    return _fitted(ImageOps.invert(alpha), size)


def _fitted(image: Image.Image, size: Size) -> Image.Image:
    return image if image.size == size else ImageOps.fit(image, size, Image.Resampling.LANCZOS)
