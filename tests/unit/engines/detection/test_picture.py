"""Pictures on their way to a model, and with boxes drawn in."""

import io

import numpy as np
import pytest
from PIL import Image

from oxlo.engines.detection import picture
from oxlo.errors import BadRequest


def stored(image: Image.Image, kind: str = "PNG", **fields: object) -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, kind, **fields)
    file.seek(0)
    return file


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "1", "CMYK", "I;16"])
def test_any_kind_of_pixels(mode: str) -> None:
    """All become three bytes."""
    image = Image.new(mode, (8, 6))
    kind = "TIFF" if mode == "CMYK" else "PNG"
    assert picture.read(stored(image, kind)).mode == "RGB"


def test_a_turned_photograph_is_upright() -> None:
    """Telephones store how they were held."""
    exif = Image.Exif()
    exif[0x0112] = 6
    assert picture.read(stored(Image.new("RGB", (8, 6)), "JPEG", exif=exif)).size == (6, 8)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"])
def test_what_is_no_picture(content: bytes) -> None:
    """A 400 that names the field."""
    with pytest.raises(BadRequest) as refused:
        picture.read(io.BytesIO(content))
    assert refused.value.param == "image"


def test_a_picture_that_is_cut_short() -> None:
    """Neither is half a picture looked at."""
    whole = stored(Image.effect_noise((64, 64), 50)).getvalue()
    with pytest.raises(BadRequest, match="broken"):
        picture.read(io.BytesIO(whole[: len(whole) // 2]))


@pytest.mark.parametrize(
    ("size", "frame"),
    [((200, 100), (0.5, 0, 25)), ((50, 100), (1, 25, 0)), ((10, 10), (10, 0, 0))],
)
def test_in_the_middle_of_a_square(size: tuple[int, int], frame: tuple[float, int, int]) -> None:
    """Its shape is kept, and grey is around it."""
    pixels, found = picture.framed(Image.new("RGB", size, "red"), 100)
    assert (found.scale, found.left, found.top) == frame
    assert pixels.shape == (100, 100, 3)
    assert pixels[50, 50].tolist() == [255, 0, 0]
    grey = np.all(pixels == 114, axis=2).sum()
    assert grey == 10_000 - round(size[0] * found.scale) * round(size[1] * found.scale)


def test_boxes_are_drawn() -> None:
    """Around the thing and nowhere else; the picture itself stays as it was."""
    image = Image.new("RGB", (100, 80))
    drawn = Image.open(io.BytesIO(picture.annotated(image, [((20, 30, 60, 70), 1, "cup 0.90")])))
    changed = np.argwhere(np.asarray(drawn).any(axis=2))
    assert drawn.size == (100, 80)
    assert changed[:, 0].max() == 70
    assert not np.asarray(drawn)[40:60, 30:50].any()
    assert not np.asarray(image).any()


def test_a_large_picture_is_shown_smaller() -> None:
    """So that it can be sent."""
    drawn = picture.annotated(Image.new("RGB", (4000, 1000)), [((3900, 0, 4000, 9), 0, "person")])
    assert Image.open(io.BytesIO(drawn)).size == (1920, 480)
