"""Image files to model input (letterboxing), and drawing boxes."""

import colorsys
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont, ImageOps, UnidentifiedImageError

from oxlo.engines.detection import captions
from oxlo.engines.detection.captions import Corners
from oxlo.wire.decode import invalid

Pixels = npt.NDArray[np.uint8]

#: Padding that models were trained with.
_GREY = (114, 114, 114)
#: Longest side of an annotated image: more makes it slow to send, not clearer.
_SHOWN = 1920


@dataclass(frozen=True, slots=True)
class Frame:
    """Position of an image in the model's square input; one image pixel is `scale` input pixels."""

    scale: float
    left: int
    top: int


def read(file: BinaryIO) -> Image.Image:
    """Decode an image file, rotated as its EXIF data says. Raises BadRequest."""
    try:
        with Image.open(file) as opened:
            return ImageOps.exif_transpose(opened).convert("RGB")
    except UnidentifiedImageError:
        raise invalid("image", "this is not an image that can be read.") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise invalid("image", f"this image is broken or too large ({error}).") from None


def framed(image: Image.Image, size: int) -> tuple[Pixels, Frame]:
    """Letterbox: the image centred in a square of `size` pixels, as (height, width, 3)."""
    scale = size / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    frame = Frame(scale, (size - width) // 2, (size - height) // 2)
    square = Image.new("RGB", (size, size), _GREY)
    # reducing_gap: shrink by an integer factor first, which is much faster for large images.
    small = image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    square.paste(small, (frame.left, frame.top))
    return np.asarray(square), frame


def annotated(image: Image.Image, boxes: Iterable[tuple[Corners, int, str]]) -> bytes:
    """A PNG with boxes drawn in, the surest given first; each has corners, a class, a caption."""
    shown = image.copy()
    shown.thumbnail((_SHOWN, _SHOWN))
    scale = shown.width / image.width
    pen = ImageDraw.Draw(shown)
    thick = max(2, round(max(shown.size) / 300))
    scaled = [(_scaled(corners, scale), _color(number), text) for corners, number, text in boxes]
    for corners, color, _ in reversed(scaled):
        pen.rectangle(corners, None, color, thick)
    font = ImageFont.load_default(8 + 3 * thick)
    taken: list[Corners] = []
    for corners, color, caption in scaled:
        left, top, right, bottom = pen.textbbox((0, 0), caption, font)
        label = captions.place(corners, (right - left, bottom - top), shown.size, taken)
        taken.append(label)
        pen.rectangle(label, color)
        pen.text(label[:2], caption, "white", font, "lt")
    file = io.BytesIO()
    shown.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _scaled(corners: Corners, scale: float) -> Corners:
    left, top, right, bottom = (value * scale for value in corners)
    return left, top, max(left, right), max(top, bottom)


def _color(number: int) -> tuple[int, int, int]:
    """A colour for a class; consecutive numbers differ strongly."""
    hue = number * 0.618034 % 1
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85, 0.75)
    return round(red * 255), round(green * 255), round(blue * 255)
