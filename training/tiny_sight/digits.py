"""Signed distance fields of digits in the machine's fonts."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures
from PIL import ImageDraw, ImageFont

#: Folders of Debian's packages fonts-dejavu and fonts-liberation.
_FONTS = Path("/usr/share/fonts/truetype")
_NAMES = (
    "dejavu/DejaVuSans.ttf",
    "dejavu/DejaVuSans-Bold.ttf",
    "dejavu/DejaVuSerif-Bold.ttf",
    "dejavu/DejaVuSansMono-Bold.ttf",
    "liberation/LiberationSans-Regular.ttf",
    "liberation/LiberationSans-Bold.ttf",
    "liberation/LiberationSansNarrow-Bold.ttf",
    "liberation/LiberationSerif-Bold.ttf",
    "liberation/LiberationMono-Bold.ttf",
)
#: Supersampling factor of a digit's rendering.
_FINE = 4


def fonts() -> list[str]:
    """Return the fonts for training; Pillow's own font is held out for evaluation."""
    return [str(_FONTS / name) for name in _NAMES]


def distance(digit: str, font: str, side: int, radius: float) -> NDArray[np.float32]:
    """Return the signed distance in pixels to a centred digit of two radii in height."""
    inside = _drawn(digit, font, side, radius)
    edge = np.argwhere(inside[:-1, :-1] != inside[1:, 1:]) + 1.0
    at = (np.mgrid[0:side, 0:side].reshape(2, -1).T + 0.5) * _FINE
    away = np.sqrt(((at[:, None] - edge[None]) ** 2).sum(-1).min(1)).reshape(side, side) / _FINE
    within = inside[_FINE // 2 :: _FINE, _FINE // 2 :: _FINE]
    return np.asarray(np.where(within, -away, away), np.float32)


def _drawn(digit: str, font: str, side: int, radius: float) -> NDArray[np.bool_]:
    height = int(2 * radius * _FINE)
    shape = ImageFont.truetype(font, height)
    left, top, right, bottom = shape.getbbox(digit)
    shape = ImageFont.truetype(font, height * height / (bottom - top))
    left, top, right, bottom = shape.getbbox(digit)
    middle = side * _FINE / 2
    picture = Pictures.new("L", (side * _FINE, side * _FINE))
    at = (middle - (left + right) / 2, middle - (top + bottom) / 2)
    ImageDraw.Draw(picture).text(at, digit, 255, shape)
    return np.asarray(picture) > 127
