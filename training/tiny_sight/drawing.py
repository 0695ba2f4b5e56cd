"""Drawing of views with Pillow, in any size and with a font not used in training."""

import io

from PIL import Image as Pictures
from PIL import ImageDraw, ImageFont

from tiny_scenes import shapes
from tiny_sight.views import BEHIND, DIGITS, SHADES, Thing, View

#: Sides of images in pixels.
SIDES = (64, 96, 128, 200, 256, 320, 512, 640)


def draw(view: View, side: int) -> Pictures.Image:
    """Draw a square image with the given side in pixels, in each colour's second shade."""
    picture = Pictures.new("RGB", (side, side), BEHIND[view.background][1])
    pen = ImageDraw.Draw(picture)
    for thing in view.things:
        if thing.kind in DIGITS:
            _write(pen, thing, side)
        else:
            _shape(pen, thing, side)
    return picture


def png(view: View, side: int) -> bytes:
    """Encode the image as PNG."""
    stream = io.BytesIO()
    draw(view, side).save(stream, "PNG")
    return stream.getvalue()


def _shape(pen: ImageDraw.ImageDraw, thing: Thing, side: int) -> None:
    x, y, radius = thing.x * side, thing.y * side, thing.radius * side
    colour = SHADES[thing.colour][1]
    corners = shapes.OUTLINES[thing.kind]
    if len(corners):
        pen.polygon([(x + radius * across, y + radius * down) for across, down in corners], colour)
    else:
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), colour)


def _write(pen: ImageDraw.ImageDraw, thing: Thing, side: int) -> None:
    """Draw a digit in Pillow's own font, two radii high."""
    height = 2 * thing.radius * side
    _left, top, _right, bottom = ImageFont.load_default(height).getbbox(thing.kind)
    font = ImageFont.load_default(height * height / (bottom - top))
    pen.text((thing.x * side, thing.y * side), thing.kind, SHADES[thing.colour][1], font, "mm")
