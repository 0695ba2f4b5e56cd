"""Image files to model input (letterboxing), and drawing boxes."""

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
    """A PNG with boxes drawn in; each has corners, a class number and a caption."""
    shown = image.copy()
    shown.thumbnail((_SHOWN, _SHOWN))
    scale = shown.width / image.width
    pen = ImageDraw.Draw(shown)
    thick = max(2, round(max(shown.size) / 300))
    height = 8 + 3 * thick
    font = ImageFont.load_default(height)
    for corners, number, caption in boxes:
        left, top, right, bottom = (value * scale for value in corners)
        pen.rectangle((left, top, max(left, right), max(top, bottom)), None, _color(number), thick)
        room = max(0.0, shown.width - pen.textlength(caption, font))
        place = (min(left, room), max(0.0, top - height))
        pen.rectangle(pen.textbbox(place, caption, font), _color(number))
        pen.text(place, caption, "white", font)
    file = io.BytesIO()
    shown.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _color(number: int) -> tuple[int, int, int]:
    """A colour for a class; consecutive numbers differ strongly."""
    hue = number * 0.618034 % 1
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85, 0.75)
    return round(red * 255), round(green * 255), round(blue * 255)
