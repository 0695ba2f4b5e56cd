"""Large JSON bodies, and what becomes of the fields that hold files."""

import base64
import random

import msgspec
import pytest
from tests.unit.media.conftest import content

from oxlo.errors import BadRequest
from oxlo.media import bodies
from oxlo.media.encoded import decoded
from oxlo.media.files import Files
from oxlo.wire.media import Unpacked

PICTURE = random.Random(1).randbytes(40_000)
TEXT = base64.b64encode(PICTURE).decode()
CHAT = ("messages[].content[].image_url.url",)


def chat(*urls: str) -> bytes:
    parts = [{"type": "image_url", "image_url": {"url": url, "detail": "low"}} for url in urls]
    said = {"role": "user", "content": [{"type": "text", "text": "what?"}, *parts]}
    return msgspec.json.encode({"messages": [{"role": "system", "content": "x"}, said]})


def test_pictures_become_files(files: Files) -> None:
    """Each in its place, with the type that its URI names."""
    unpacked = bodies.unpack(chat(f"data:image/png;base64,{TEXT}", TEXT), CHAT, files)
    assert msgspec.json.encode(unpacked.body) == chat("oxlo-file:0", "oxlo-file:1")
    assert [content(files, n) for n in (0, 1)] == [PICTURE, PICTURE]
    assert [file.type for file in unpacked.files] == ["image/png", ""]


def test_the_rest_stays_as_it_came(files: Files) -> None:
    """Bytes that nobody asked for are not touched: numbers, spaces, texts that look encoded."""
    tools = b'{"url" : 1.0e2, "big": 123456789012345678901234567890, "x": "\\u00e9"}'
    said = msgspec.json.encode({"role": "user", "content": f"data:image/png;base64,{TEXT}"})
    body = b'{"messages":[{"role":"user","content":[{"image_url":{"url":"%b"}}]},%b],"tools":%b}'
    unpacked = bodies.unpack(body % (TEXT.encode(), said, tools), CHAT, files)
    assert msgspec.json.encode(unpacked.body) == body % (b"oxlo-file:0", said, tools)


def test_a_body_without_files_is_not_sent_back(files: Files) -> None:
    """The gateway has it already, on disk."""
    said = [{"role": "user", "content": f"data:image/png;base64,{TEXT}"}]
    assert bodies.unpack(msgspec.json.encode({"messages": said}), CHAT, files) == Unpacked(())


def test_urls_and_short_texts_stay(files: Files) -> None:
    """A URL is fetched later, however long it is; a picture of a pixel takes no file."""
    body = chat("https://example.com/" + "a" * 9000, "data:image/gif;base64,R0lGODlhAQABAAAAACw=")
    assert bodies.unpack(body, CHAT, files) == Unpacked(())


def test_escaped_slashes_and_lines(files: Files) -> None:
    """PHP escapes slashes, and MIME breaks lines: both are base64."""
    lines = "\r\n".join(TEXT[at : at + 76] for at in range(0, len(TEXT), 76))
    body = msgspec.json.encode({"image": [lines, TEXT]}).replace(b"/", b"\\/")
    unpacked = bodies.unpack(body, ("image", "image[]"), files)
    assert msgspec.json.decode(unpacked.body) == {"image": ["oxlo-file:0", "oxlo-file:1"]}
    assert content(files, 0) == content(files, 1) == PICTURE


@pytest.mark.parametrize("name", ["photo.jpg", "./my photo.jpeg", r"C:\pictures\a.png", "~/a.heic"])
def test_the_name_of_a_file(name: str) -> None:
    """A path is no base64: the error says to send the file itself, and how."""
    with pytest.raises(BadRequest, match="Send the file itself, as 'data:image/png;base64,'"):
        decoded(name, "image")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (TEXT[:-1], "not valid base64"),
        ("é" * 9000, "not valid base64"),
        (TEXT.replace("A", "!"), "not valid base64"),
        (f"data:image/png,{TEXT}", "data URI"),
    ],
)
def test_broken_base64(files: Files, url: str, why: str) -> None:
    """Refused, naming the field."""
    with pytest.raises(BadRequest, match=why) as caught:
        bodies.unpack(chat("http://x/1", url), CHAT, files)
    assert caught.value.param == "messages[1].content[2].image_url.url"


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"{", "bad_json"), (b"", "bad_json"), (b'{"a": "\xff"}', "invalid_utf8")],
)
def test_not_json(files: Files, body: bytes, code: str) -> None:
    """The same words as for a small body."""
    with pytest.raises(BadRequest) as caught:
        bodies.unpack(body, CHAT, files)
    assert caught.value.error_code == code


@pytest.mark.parametrize(
    "body", [b"[]", b"7", b'{"messages": {"content": 3}}', b'{"messages":[1]}']
)
def test_other_shapes_are_left(files: Files, body: bytes) -> None:
    """Whoever reads the request says what is wrong with it."""
    assert bodies.unpack(body, CHAT, files) == Unpacked(())
