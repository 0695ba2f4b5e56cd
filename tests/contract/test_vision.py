"""Chats that show pictures, through the real SDK, by a real llama.cpp.

Its projector has random weights, so it makes nothing of what it sees; but it does see.
"""

import base64
import contextlib
import hashlib
import http.server
import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import openai
import pytest
from PIL import Image
from tests import projector
from tests.contract import programs
from tests.contract.conftest import Served, serving

from oxlo.snippets import Category, Language

pytestmark = pytest.mark.engine

SEES, BLIND = "sees", "smollm2-135m"
MODEL = """
id = "sees"
name = "Sees"
category = "vision"
tier = "free"
description = "Of a test."
abilities = ["chat", "vision", "logprobs"]
context_length = 2048
licence = "Apache-2.0"
homepage = "https://example.com"
created = 1730419200
{weights}
[[variants]]
hardware = "cpu"
engine = "llamacpp"
"""
FILE = """
[[weights]]
name = "{path.name}"
sha256 = "{digest}"
size = {size}
[[weights.sources]]
folder = "{path.parent}"
path = ["{path.name}"]
"""


def entry(path: Path) -> str:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return FILE.format(path=path, digest=digest, size=len(content))


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """Sends whoever asks for `/service` or `/port` to what only the operator may reach."""

    inner: ClassVar[str] = ""
    #: What was asked for, of both servers.
    reached: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.reached.append(self.path)
        self.send_response(302)
        host = self.inner if self.path == "/port" else "127.0.0.1"
        self.send_header("location", f"http://{host}/secret")
        self.end_headers()

    def log_request(self, *about: object) -> None:
        """Nothing: the tests look at what was asked."""


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
    """The address of a web server that redirects to another one, which nobody may reach."""
    with answering(Elsewhere) as inner, answering(Elsewhere) as outer:
        Elsewhere.inner = inner
        yield outer


@pytest.fixture(scope="module")
def platform(
    tmp_path_factory: pytest.TempPathFactory, smollm2: Path, outside: str
) -> Iterator[Served]:
    """`oxlo serve` with the small chat model, and with the same that has a projector."""
    folder = tmp_path_factory.mktemp("vision")
    weights, home = folder / "weights", folder / "home"
    weights.mkdir()
    (weights / smollm2.parent.name).symlink_to(smollm2.parent)
    (home / "models.d").mkdir(parents=True)
    files = (smollm2, projector.write(folder / "mmproj.gguf", 576))
    text = MODEL.format(weights="".join(map(entry, files)))
    (home / "models.d" / "sees.toml").write_text(text)
    own = {
        "OXLO_MODELS": f"{SEES},{BLIND}",
        "OXLO_LLAMACPP_THREADS": "1",
        "OXLO_MEDIA_ALLOW": outside,
    }
    with serving(home, weights, **own, OXLO_LLAMACPP_CONTEXT="1024") as served:
        yield served


@pytest.fixture(scope="module")
def sdk(platform: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=platform.base_url, api_key=platform.key, max_retries=0) as client:
        yield client


def square(colour: str, form: str = "PNG") -> str:
    data = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(data, form)
    content = base64.b64encode(data.getvalue()).decode()
    return f"data:image/{form.lower()};base64,{content}"


def asked(*urls: str) -> list[dict[str, object]]:
    pictures = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    said = [{"type": "text", "text": "What is it?"}, *pictures]
    return [{"role": "user", "content": said}]


def seen(sdk: openai.OpenAI, *urls: str) -> tuple[float, int]:
    """How likely the first word about pictures is, and the prompt's tokens."""
    reply = sdk.chat.completions.create(
        model=SEES, messages=asked(*urls), max_tokens=2, temperature=0, logprobs=True
    )
    (choice,) = reply.choices
    assert choice.logprobs
    assert choice.logprobs.content
    assert reply.usage
    return choice.logprobs.content[0].logprob, reply.usage.prompt_tokens


def test_pictures_reach_the_model(sdk: openai.OpenAI) -> None:
    """Whatever their form: another picture, another answer; and each takes its tokens."""
    nothing, words = seen(sdk)
    red, with_red = seen(sdk, square("red"))
    jpeg, _ = seen(sdk, square("blue", "JPEG"))
    _, with_both = seen(sdk, square("red"), square("blue", "WEBP"))
    assert len({round(found, 3) for found in (nothing, red, jpeg)}) == 3
    assert seen(sdk, square("red"))[0] == pytest.approx(red, abs=1e-3)
    assert (with_red - words, with_both - words) == (projector.TOKENS, 2 * projector.TOKENS)


def test_streamed(sdk: openai.OpenAI) -> None:
    """The answer to a picture comes piece by piece, too."""
    stream = sdk.chat.completions.create(
        model=SEES, messages=asked(square("green")), max_tokens=4, stream=True
    )
    assert [c for event in stream for c in event.choices][-1].finish_reason == "length"


def test_a_model_without_eyes_names_one_that_sees(sdk: openai.OpenAI) -> None:
    """The picture is not dropped in silence."""
    with pytest.raises(openai.BadRequestError, match=SEES):
        sdk.chat.completions.create(model=BLIND, messages=asked(square("red")))


@pytest.mark.parametrize(
    "url",
    [
        "data:image/png;base64,AAAA",
        "data:image/png;base64,%%%",
        "http://127.0.0.1:1/x.png",
        "file:///etc/hostname",
    ],
)
def test_what_is_no_picture(sdk: openai.OpenAI, url: str) -> None:
    """It is refused before any engine hears of it."""
    refused(sdk, url)


@pytest.mark.parametrize(("path", "why"), [("/service", "address"), ("/port", "port")])
def test_a_redirect_into_the_network_is_not_followed(
    sdk: openai.OpenAI, outside: str, path: str, why: str
) -> None:
    """What is allowed leads to what is not: that is refused, and never asked for anything."""
    Elsewhere.reached.clear()
    assert why in refused(sdk, f"http://{outside}{path}")
    assert Elsewhere.reached == [path]


def test_a_picture_that_would_burst(sdk: openai.OpenAI) -> None:
    """Few bytes, many pixels: none of them is decoded."""
    data = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(data, "PNG")
    told = refused(sdk, f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}")
    assert "megapixels" in told


def refused(sdk: openai.OpenAI, url: str) -> str:
    """What a caller is told whose picture is refused; nothing is counted, and the model answers."""
    used = used_today(sdk)
    with pytest.raises(openai.BadRequestError) as told:
        sdk.chat.completions.create(model=SEES, messages=asked(url))
    assert told.value.param == "messages[0].content[1].image_url.url"
    assert used_today(sdk) == used
    assert seen(sdk)
    return told.value.message


def used_today(sdk: openai.OpenAI) -> int:
    limits: dict[str, dict[str, int]] = sdk.get("/limits", cast_to=dict[str, object])  # type: ignore
    return limits["day"]["used"]


@programs.each("vision")
def test_programs_that_are_shown(
    platform: Served, tmp_path: Path, category: Category, language: Language
) -> None:
    """It says something of a picture on disk."""
    Image.new("RGB", (64, 64), "red").save(tmp_path / "photo.jpg")
    assert programs.said(platform, category, language, SEES, tmp_path).strip()
