"""Chats that show pictures, through the real SDK, to a real model that sees."""

import base64
import contextlib
import http.server
import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import openai
import pytest
from PIL import Image, ImageDraw, ImageFont
from tests.conftest import cache, fetched
from tests.contract import programs
from tests.contract.conftest import Served, serving
from tests.pictures import bomb

from oxlo.snippets import Category, Language

pytestmark = pytest.mark.engine

SIGHTED, BLIND = "tiny-sight", "smollm2-135m"
#: Tokens of one picture.
TOKENS = 100


class PictureServer(http.server.BaseHTTPRequestHandler):
    """Serves a picture; other paths redirect to a private address."""

    inner: ClassVar[str] = ""
    #: Paths requested from either server.
    reached: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.reached.append(self.path)
        if self.path == "/picture":
            self.answer(200, "content-type", "image/png", drawn("triangle", "green"))
        else:
            host = self.inner if self.path == "/port" else "127.0.0.1"
            self.answer(302, "location", f"http://{host}/secret")

    def answer(self, status: int, name: str, value: str, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, *about: object) -> None:
        """Log nothing."""


@contextlib.contextmanager
def answering(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """A web server on this machine; its address."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.05,))
        serving.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


@pytest.fixture(scope="module")
def outside() -> Iterator[str]:
    """The address of a web server that may be reached; it redirects to one that may not."""
    with answering(PictureServer) as inner, answering(PictureServer) as outer:
        PictureServer.inner = inner
        yield outer


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, smollm2: Path, outside: str
) -> Iterator[Served]:
    """`oxlo serve` with a model that sees, and with one that does not."""
    fetched(SIGHTED)
    own = {
        "OXLO_MODELS": f"{SIGHTED},{BLIND}",
        "OXLO_LLAMACPP_CONTEXT": "1024",
        "OXLO_MEDIA_ALLOW": outside,
    }
    with serving(tmp_path_factory.mktemp("home"), cache(), **own) as platform:
        yield platform


def drawn(shape: str, colour: str, form: str = "PNG") -> bytes:
    """A large shape or digit in the middle of a white picture."""
    picture = Image.new("RGB", (240, 240), "white")
    pen = ImageDraw.Draw(picture)
    if shape == "circle":
        pen.ellipse((70, 70, 170, 170), colour)
    elif shape.isdigit():
        pen.text((120, 120), shape, colour, ImageFont.load_default(140), "mm")
    else:
        corners = {"square": 4, "triangle": 3}
        pen.regular_polygon((120, 120, 65), corners[shape], fill=colour)
    data = io.BytesIO()
    picture.save(data, form)
    return data.getvalue()


def shown(shape: str, colour: str, form: str = "PNG") -> str:
    """The same as a data URI."""
    content = base64.b64encode(drawn(shape, colour, form)).decode()
    return f"data:image/{form.lower()};base64,{content}"


def question(text: str, *urls: str) -> list[dict[str, object]]:
    pictures = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return [{"role": "user", "content": [*pictures, {"type": "text", "text": text}]}]


def answer(client: openai.OpenAI, text: str, *urls: str) -> str:
    """The answer to a question about pictures, in lower case."""
    reply = client.chat.completions.create(
        model=SIGHTED, messages=question(text, *urls), max_tokens=40, temperature=0
    )
    return (reply.choices[0].message.content or "").lower()


def tokens(client: openai.OpenAI, *urls: str) -> int:
    """Of a prompt with these pictures."""
    reply = client.chat.completions.create(
        model=SIGHTED, messages=question("Hm?", *urls), max_tokens=1
    )
    assert reply.usage
    return reply.usage.prompt_tokens


@pytest.mark.parametrize(
    ("shape", "colour", "form"),
    [("circle", "red", "PNG"), ("square", "blue", "JPEG"), ("triangle", "green", "WEBP")],
)
def test_shape_and_colour(client: openai.OpenAI, shape: str, colour: str, form: str) -> None:
    """The model names shape and colour of a drawing, in any file format."""
    url = shown(shape, colour, form)
    assert shape in answer(client, f"Which shape is {colour}?", url)
    assert colour in answer(client, f"What colour is the {shape}?", url)


def test_absent_shape(client: openai.OpenAI) -> None:
    """Asked about a shape that is not in the picture, the model says no."""
    url = shown("square", "blue")
    assert answer(client, "Is there a square? Answer yes or no.", url).startswith("yes")
    assert answer(client, "Is there a star? Answer yes or no.", url).startswith("no")


def test_digits(client: openai.OpenAI) -> None:
    """The model reads digits when it describes a picture."""
    url = shown("4", "red")
    text = answer(client, "What is in this picture?", url)
    assert {"4", "red"} <= {*text.replace(",", "").replace(".", "").split()}


def test_two_pictures(client: openai.OpenAI) -> None:
    """Both reach the model, each takes its tokens; this one tells of one of them."""
    red, blue = shown("circle", "red"), shown("square", "blue")
    text = answer(client, "What is in these pictures?", red, blue)
    assert "red circle" in text or "blue square" in text
    assert tokens(client, red, blue) - tokens(client) == 2 * TOKENS


def test_a_picture_by_its_address(client: openai.OpenAI, outside: str) -> None:
    """A picture is fetched from its URL."""
    assert "green" in answer(client, "What colour is the triangle?", f"http://{outside}/picture")


def test_streamed(client: openai.OpenAI) -> None:
    """The answer to a picture comes piece by piece, too."""
    messages = question("What colour is the circle?", shown("circle", "red"))
    stream = client.chat.completions.create(
        model=SIGHTED, messages=messages, max_tokens=30, temperature=0, stream=True
    )
    pieces = [c.delta.content or "" for event in stream for c in event.choices]
    assert len(pieces) > 3
    assert "red" in "".join(pieces).lower()


def test_text_model_names_a_vision_model(client: openai.OpenAI) -> None:
    """A picture for a text model is an error, not ignored."""
    with pytest.raises(openai.BadRequestError, match=SIGHTED):
        client.chat.completions.create(
            model=BLIND, messages=question("What is it?", shown("circle", "red"))
        )


@pytest.mark.parametrize(
    "url",
    [
        "data:image/png;base64,AAAA",
        "data:image/png;base64,%%%",
        "http://127.0.0.1:1/x.png",
        "file:///etc/hostname",
    ],
)
def test_bad_pictures(served: Served, client: openai.OpenAI, url: str) -> None:
    """Each is refused before any engine is called."""
    refused(served, client, url)


@pytest.mark.parametrize(("path", "why"), [("/service", "address"), ("/port", "port")])
def test_a_redirect_into_the_network_is_not_followed(
    served: Served, client: openai.OpenAI, outside: str, path: str, why: str
) -> None:
    """A redirect from an allowed address to a private one is refused, and not followed."""
    PictureServer.reached.clear()
    assert why in refused(served, client, f"http://{outside}{path}")
    assert PictureServer.reached == [path]


def test_decompression_bomb(served: Served, client: openai.OpenAI) -> None:
    """A small file with very many pixels is never decoded."""
    why = refused(served, client, f"data:image/png;base64,{base64.b64encode(bomb()).decode()}")
    assert "megapixels" in why


def refused(served: Served, client: openai.OpenAI, url: str) -> str:
    """The error for a refused picture, which does not count; the model still answers."""
    used = served.used_today()
    with pytest.raises(openai.BadRequestError) as refusal:
        client.chat.completions.create(model=SIGHTED, messages=question("What is it?", url))
    assert refusal.value.param == "messages[0].content[0].image_url.url"
    assert served.used_today() == used
    assert tokens(client)
    return refusal.value.message


@programs.each("vision")
def test_programs_that_are_shown(
    served: Served, tmp_path: Path, category: Category, language: Language
) -> None:
    """Each describes a picture on disk."""
    (tmp_path / "photo.jpg").write_bytes(drawn("circle", "red", "JPEG"))
    assert "circle" in programs.run(served, category, language, SIGHTED, tmp_path).lower()
