"""Image files: decoding uploads, encoding results."""

import io
from typing import BinaryIO

from PIL import Image, ImageOps

from oxlo.errors import BadRequest
from oxlo.wire.images import OutputFormat
from oxlo.wire.sizes import Size

#: Largest upload, in pixels.
MOST_PIXELS = 50_000_000
#: Pillow reads many more formats; rarely used decoders are where its vulnerabilities were.
_READ = ("PNG", "JPEG", "GIF", "WEBP")
#: Default for jpeg and webp, as in OpenAI's API.
_QUALITY = 100


def encode(image: Image.Image, kind: OutputFormat, quality: int | None) -> bytes:
    """Encode deterministically; `quality` is 0 to 100 and applies to jpeg and webp."""
    file = io.BytesIO()
    if kind == "png":
        image.save(file, "PNG")
    else:
        image.save(file, kind.upper(), quality=_QUALITY if quality is None else quality)
    return file.getvalue()


def read(file: BinaryIO, param: str) -> Image.Image:
    """Decode an upload to RGBA, rotated as its EXIF data says. Raises BadRequest."""
    try:
        image = Image.open(file, formats=_READ)
        if image.width * image.height <= MOST_PIXELS:
            return ImageOps.exif_transpose(image).convert("RGBA")
    except Image.DecompressionBombError:
        pass
    except (OSError, SyntaxError, ValueError):
        raise _unreadable(param, "it is not a complete PNG, JPEG, GIF or WebP image") from None
    raise _unreadable(param, f"it has more than {MOST_PIXELS:,} pixels")


def _unreadable(param: str, why: str) -> BadRequest:
    return BadRequest(f"'{param}' cannot be read: {why}.", param=param, code="invalid_image")


def scaled(image: Image.Image, size: Size | None) -> Image.Image:
    """A result at the size that the request names; None: as it was drawn."""
    return image if size in (None, image.size) else image.resize(size, Image.Resampling.BICUBIC)


def opaque(image: Image.Image, size: Size) -> Image.Image:
    """The picture on a white background, scaled and centre-cropped to `size`."""
    ground = Image.new("RGBA", image.size, "white")
    return _fitted(Image.alpha_composite(ground, image).convert("RGB"), size)


def mask(image: Image.Image, size: Size) -> Image.Image:
    """A mask whose white part is redrawn.

    OpenAI's masks are transparent there; a mask without transparency is taken as black and white.
    """
    alpha = image.getchannel("A")
    if alpha.getextrema() == (255, 255):
        return _fitted(image.convert("L"), size)
    return _fitted(ImageOps.invert(alpha), size)


def _fitted(image: Image.Image, size: Size) -> Image.Image:
    return image if image.size == size else ImageOps.fit(image, size, Image.Resampling.LANCZOS)
