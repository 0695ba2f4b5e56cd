"""Forms, as clients really write them, and as nobody should."""

import random
from itertools import permutations
from typing import Any

import msgspec
import pytest
from tests.unit.media.conftest import content

from oxlo.errors import BadRequest
from oxlo.media import forms
from oxlo.media.files import Files

KIND = 'multipart/form-data; boundary="b o"'
SOUND = random.Random(1).randbytes(300_000)


def part(name: str, value: bytes, more: str = "") -> bytes:
    head = f'--b o\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + value + b"\r\n"


def file(name: str, filename: str, value: bytes = SOUND) -> bytes:
    return part(name, value, f'; filename="{filename}"\r\nContent-Type: audio/wav')


def read(files: Files, *parts: bytes, size: int = 1000) -> dict[str, Any]:
    """The fields of a form that arrives in pieces of `size` bytes."""
    data = b"".join(parts) + b"--b o--\r\n"
    pieces = (data[at : at + size] for at in range(0, len(data), size))
    fields: dict[str, Any] = msgspec.json.decode(forms.unpack(KIND, pieces, files).body)
    return fields


@pytest.mark.parametrize(
    "order",
    list(permutations((part("model", b"m"), file("file", "a.wav"), part("language", b"en")))),
    ids=range(6),
)
def test_fields_in_any_order(files: Files, order: tuple[bytes, ...]) -> None:
    """The file may come first, last or between."""
    assert read(files, *order) == {"model": "m", "file": "oxlo-file:0", "language": "en"}
    assert content(files, 0) == SOUND


def test_lists(files: Files) -> None:
    """A name in brackets is a list even of one; a name that comes again is one, too."""
    fields = read(files, part("a[]", b"1"), part("b", b"1"), part("b", b"2"), part("c", b"3"))
    assert fields == {"a": ["1"], "b": ["1", "2"], "c": "3"}


def test_two_files_of_one_name(files: Files) -> None:
    """Pictures to edit come so."""
    fields = read(files, file("image[]", "1.png", b"one"), file("image[]", "2.png", b"two"))
    assert fields == {"image": ["oxlo-file:0", "oxlo-file:1"]}
    assert [content(files, n) for n in (0, 1)] == [b"one", b"two"]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("Grüße 🎧.wav", "Grüße 🎧.wav"), ("../../etc/passwd", "passwd"), ('q\\"q.wav', 'q"q.wav')],
)
def test_names_of_files(files: Files, sent: str, kept: str) -> None:
    """Any script; never a path."""
    read(files, file("file", sent))
    assert (files.listed[0].name, files.listed[0].type) == (kept, "audio/wav")
    assert files.listed[0].size == len(SOUND)


def refused(files: Files, kind: str, data: bytes) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        forms.unpack(kind, [data], files)
    return caught.value


def test_no_boundary(files: Files) -> None:
    """The mistake of setting the header by hand, with what to do instead."""
    error = refused(files, "multipart/form-data", part("a", b"1"))
    assert error.error_code == "bad_form"
    assert "names no boundary" in error.message


@pytest.mark.parametrize("kept", [10, 60, -12])
def test_truncated(files: Files, kept: int) -> None:
    """A form that ends in its middle is no form."""
    data = part("a", b"1") + file("file", "a.wav", b"x" * 50) + b"--b o--\r\n"
    error = refused(files, KIND, data[:kept])
    assert "ends too early" in error.message or "cannot be read" in error.message


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"not a form at all", "cannot be read"),
        (b"--b o\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b o--\r\n", "name"),
        (part("a", b"1") * 201 + b"--b o--\r\n", "more than 200 parts"),
        (part("a", b"\xff") + b"--b o--\r\n", "needs a filename"),
        (part("a", b"x" * (forms.MAX_FIELD + 1)) + b"--b o--\r\n", "at most 1 MB"),
        (file("a", "a.wav", b"") + b"--b o--\r\n", "empty"),
    ],
)
def test_bad_forms(files: Files, data: bytes, why: str) -> None:
    """Each is refused with the reason."""
    assert why in refused(files, KIND, data).message
