"""From a file to the pixels that a model wants, and boxes drawn into a picture."""

import colorsys
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont, ImageOps, UnidentifiedImageError

from oxlo.wire.decode import invalid

Pixels = npt.NDArray[np.uint8]
Corners = tuple[float, float, float, float]

#: What models were trained to see around a picture that is no square.
_GREY = (114, 114, 114)
#: Pixels of the longer side of a picture with boxes: more makes it slow to send, not clearer.
_SHOWN = 1920


@dataclass(frozen=True, slots=True)
class Frame:
    """How a picture lies in the square that a model looks at: pixels there are `scale` of its."""

    scale: float
    left: int
    top: int


def read(file: BinaryIO) -> Image.Image:
    """The picture in a file, upright. Raises BadRequest."""
    try:
        with Image.open(file) as opened:
            return ImageOps.exif_transpose(opened).convert("RGB")
    except UnidentifiedImageError:
        raise invalid("image", "this is not an image that can be read.") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise invalid("image", f"this image is broken or too large ({error}).") from None


def framed(image: Image.Image, size: int) -> tuple[Pixels, Frame]:
    """The whole picture in the middle of a square of `size` pixels: (height, width, 3)."""
    scale = size / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    frame = Frame(scale, (size - width) // 2, (size - height) // 2)
    square = Image.new("RGB", (size, size), _GREY)
    # reducing_gap: a large picture is shrunk in whole steps first, which is much faster.
    small = image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    square.paste(small, (frame.left, frame.top))
    return np.asarray(square), frame


def annotated(image: Image.Image, found: Iterable[tuple[Corners, int, str]]) -> bytes:
    """The picture as PNG with boxes drawn in: corners, class and words of each."""
    shown = image.copy()
    shown.thumbnail((_SHOWN, _SHOWN))
    scale = shown.width / image.width
    pen = ImageDraw.Draw(shown)
    thick = max(2, round(max(shown.size) / 300))
    height = 8 + 3 * thick
    font = ImageFont.load_default(height)
    for corners, number, words in found:
        left, top, right, bottom = (value * scale for value in corners)
        pen.rectangle((left, top, max(left, right), max(top, bottom)), None, _color(number), thick)
        room = max(0.0, shown.width - pen.textlength(words, font))
        place = (min(left, room), max(0.0, top - height))
        pen.rectangle(pen.textbbox(place, words, font), _color(number))
        pen.text(place, words, "white", font)
    file = io.BytesIO()
    shown.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _color(number: int) -> tuple[int, int, int]:
    """Colours of neighbouring numbers are far apart."""
    hue = number * 0.618034 % 1
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85, 0.75)
    return round(red * 255), round(green * 255), round(blue * 255)
