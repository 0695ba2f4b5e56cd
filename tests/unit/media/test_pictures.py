"""Pictures: real ones, broken ones, and bombs."""

import io
import random
import struct
from pathlib import Path

import pytest
from PIL import Image
from tests.pictures import bomb, chunk

from oxlo.errors import BadRequest
from oxlo.media import pictures


def drawn(form: str, size: tuple[int, int] = (64, 48)) -> bytes:
    """Noise, so that no coder makes it small."""
    image = Image.frombytes("RGB", size, random.Random(1).randbytes(size[0] * size[1] * 3))
    out = io.BytesIO()
    image.save(out, form)
    return out.getvalue()


def examined(folder: Path, content: bytes) -> tuple[str, int, int]:
    path = folder / "picture"
    path.write_bytes(content)
    return pictures.examine(str(path), "image", 50)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP"])
def test_whole(tmp_path: Path, form: str) -> None:
    """Type and size, by what is in it."""
    assert examined(tmp_path, drawn(form)) == (f"image/{form.lower()}", 64, 48)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP"])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.97])
def test_cut_short(tmp_path: Path, form: str, kept: float) -> None:
    """A picture that lacks its end is not passed on to an engine."""
    content = drawn(form)
    with pytest.raises(BadRequest, match=r"cut short|cannot be read|not a picture"):
        examined(tmp_path, content[: int(len(content) * kept)])


def test_a_broken_byte(tmp_path: Path) -> None:
    """A PNG's checksums are looked at."""
    content = bytearray(drawn("PNG"))
    content[len(content) // 2] ^= 255
    with pytest.raises(BadRequest, match="broken"):
        examined(tmp_path, bytes(content))


def test_a_whole_picture_of_another_kind(tmp_path: Path) -> None:
    """It is no damage, and what to send instead is said."""
    with pytest.raises(BadRequest, match="this is BMP; send PNG, JPEG, GIF or WebP"):
        examined(tmp_path, drawn("BMP"))


@pytest.mark.parametrize("size", [(20_000, 20_000), (65_000, 1_000), (2**31 - 1, 2**31 - 1)])
def test_bombs(tmp_path: Path, size: tuple[int, int]) -> None:
    """Too many pixels are refused by the head alone, with how many there may be."""
    with pytest.raises(BadRequest, match="more than 50 megapixels") as caught:
        examined(tmp_path, bomb(*size))
    assert caught.value.param == "image"


def with_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan comes this many times more."""
    out = io.BytesIO()
    Image.new("L", (64, 48)).save(out, "JPEG", progressive=True)
    head, sos, scan = out.getvalue().removesuffix(b"\xff\xd9").rpartition(b"\xff\xda")
    return head + (sos + scan) * (1 + count) + b"\xff\xd9"


#: Enough of the smallest parts to keep a decoder busy for long, and where they are put.
MANY = 70_000
PARTS = {
    "PNG": (33, chunk(b"abCd") * MANY),
    "JPEG": (2, b"\xff\xfe\0\2" * MANY),
    "JPEG, fill bytes": (2, b"\xff" * MANY),
    "JPEG, bytes between": (20, b"\0" * MANY),
    "JPEG, ends": (2, b"\xff\xd9" * MANY),
    "JPEG, reserved": (2, b"\xff\xc8\xff\xff" + b"\xff" * MANY),
    "GIF": (781, b"!\xfe\1a\0" * MANY),
    "GIF, one comment": (781, b"!\xfe" + b"\1a" * MANY + b"\0"),
    "GIF, bytes between": (781, b"\0" * MANY),
}


@pytest.mark.parametrize("name", PARTS)
def test_many_small_parts(tmp_path: Path, name: str) -> None:
    """Parts that decoders go through one by one are counted first."""
    content, (at, parts) = drawn(name.partition(",")[0]), PARTS[name]
    assert examined(tmp_path, content)
    with pytest.raises(BadRequest, match="has more than 65,536 parts; save it anew"):
        examined(tmp_path, content[:at] + parts + content[at:])


def test_many_scans(tmp_path: Path) -> None:
    """Each scan of a JPEG runs over all of its pixels."""
    assert examined(tmp_path, with_scans(50)) == ("image/jpeg", 64, 48)
    with pytest.raises(BadRequest, match="has more than 64 scans"):
        examined(tmp_path, with_scans(64))


def test_markers_in_other_data_are_no_scans(tmp_path: Path) -> None:
    """Thumbnails and profiles hold the same bytes."""
    content = drawn("JPEG")
    profile = b"\xff\xda\xff\xd9" * 1000
    segment = b"\xff\xe2" + struct.pack(">H", 2 + len(profile)) + profile
    assert examined(tmp_path, content[:2] + segment + content[2:] + profile)


@pytest.mark.parametrize(
    "content", [b"", b"just text", b"<svg/>", b"%PDF-1.7", b"BM" + bytes(60), b"II*\0" + bytes(60)]
)
def test_other_files(tmp_path: Path, content: bytes) -> None:
    """Whatever its name says."""
    with pytest.raises(BadRequest, match="PNG, JPEG, GIF or WebP"):
        examined(tmp_path, content)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_as_png(tmp_path: Path, mode: str) -> None:
    """The same pixels, for engines that read no WebP."""
    path = tmp_path / "picture"
    image = Image.frombytes(mode, (8, 6), random.Random(1).randbytes(48 * len(mode)))
    image.putpixel((0, 0), (9, 9, 9, 9)[: len(mode)])
    image.save(path, "WEBP", lossless=True, exact=True)
    out = io.BytesIO()
    pictures.write_png(str(path), out)
    with Image.open(out) as written:
        assert (written.format, written.mode) == ("PNG", mode)
        assert written.tobytes() == image.tobytes()
