"""Chats that show pictures, through the real SDK, by a real llama.cpp.

Its projector has random weights, so it makes nothing of what it sees; but it does see.
"""

import base64
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

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


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, smollm2: Path) -> Iterator[Served]:
    """`oxlo serve` with the small chat model, and with the same that has a projector."""
    folder = tmp_path_factory.mktemp("vision")
    weights, home = folder / "weights", folder / "home"
    weights.mkdir()
    (weights / smollm2.parent.name).symlink_to(smollm2.parent)
    (home / "models.d").mkdir(parents=True)
    files = (smollm2, projector.write(folder / "mmproj.gguf", 576))
    text = MODEL.format(weights="".join(map(entry, files)))
    (home / "models.d" / "sees.toml").write_text(text)
    own = {"OXLO_MODELS": f"{SEES},{BLIND}", "OXLO_LLAMACPP_THREADS": "1"}
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
    "url", ["data:image/png;base64,AAAA", "http://127.0.0.1:1/x.png", "file:///etc/hostname"]
)
def test_what_is_no_picture(sdk: openai.OpenAI, url: str) -> None:
    """It is refused before any engine hears of it."""
    with pytest.raises(openai.BadRequestError):
        sdk.chat.completions.create(model=SEES, messages=asked(url))


@programs.each("vision")
def test_programs_that_are_shown(
    platform: Served, tmp_path: Path, category: Category, language: Language
) -> None:
    """It says something of a picture on disk."""
    Image.new("RGB", (64, 64), "red").save(tmp_path / "photo.jpg")
    assert programs.said(platform, category, language, SEES, tmp_path).strip()
