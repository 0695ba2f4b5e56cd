"""Pictures in and out."""

import io

import pytest
from PIL import Image
from tests.pictures import bomb

from oxlo.engines.diffusion import pictures
from oxlo.errors import BadRequest


def png(image: Image.Image) -> io.BytesIO:
    return io.BytesIO(pictures.encode(image, "png", None))


def test_the_same_picture_has_the_same_bytes() -> None:
    """Nothing but pixels is in the file."""
    image = Image.linear_gradient("L").convert("RGB")
    assert pictures.encode(image, "png", None) == pictures.encode(image.copy(), "png", None)


@pytest.mark.parametrize(
    ("kind", "magic"), [("png", b"\x89PNG"), ("jpeg", b"\xff\xd8"), ("webp", b"RIFF")]
)
def test_formats(kind: pictures.OutputFormat, magic: bytes) -> None:
    """Each is what it says."""
    assert pictures.encode(Image.new("RGB", (8, 8)), kind, 50).startswith(magic)


def test_results_are_scaled() -> None:
    """To the size that was asked for, where it is not the one that was drawn."""
    image = Image.new("RGB", (8, 8), "red")
    larger = pictures.scaled(image, (32, 32))
    assert (larger.size, larger.getpixel((31, 31))) == ((32, 32), (255, 0, 0))
    assert pictures.scaled(image, None) is pictures.scaled(image, (8, 8)) is image


def test_transparent_parts_are_white() -> None:
    """A pipeline knows no transparency."""
    image = pictures.read(png(Image.new("RGBA", (8, 8), (255, 0, 0, 0))), "image")
    assert pictures.opaque(image, (8, 8)).getpixel((0, 0)) == (255, 255, 255)


def test_a_picture_is_cut_to_shape() -> None:
    """Evenly at both ends, never squeezed."""
    wide = Image.new("RGBA", (30, 10), "red")
    wide.paste("blue", (10, 0, 20, 10))
    assert pictures.opaque(wide, (10, 10)).getcolors() == [(100, (0, 0, 255))]


@pytest.mark.parametrize(
    ("mask", "drawn"),
    [
        (Image.new("RGBA", (8, 8), (0, 0, 0, 0)), 255),
        (Image.new("L", (8, 8), 255), 255),
        (Image.new("L", (8, 8), 0), 0),
    ],
)
def test_masks(mask: Image.Image, drawn: int) -> None:
    """Transparent as at OpenAI, or white, is what is drawn anew."""
    found = pictures.mask(pictures.read(png(mask), "mask"), (8, 8))
    assert found.getextrema() == (drawn, drawn)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"hello", "not a complete"),
        (png(Image.new("RGB", (64, 64))).getvalue()[:-20], "not a complete"),
        (bomb(), "50,000,000 pixels"),
        (b"BM" + bytes(60), "not a complete"),
    ],
    ids=["text", "cut", "bomb", "bmp"],
)
def test_what_is_no_picture(data: bytes, why: str) -> None:
    """A refusal that names the field; a bomb is never unpacked."""
    with pytest.raises(BadRequest, match=why) as refusal:
        pictures.read(io.BytesIO(data), "image")
    assert refusal.value.param == "image"
