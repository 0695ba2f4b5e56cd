"""A real llama.cpp engine that sees: the small chat model, with a projector of random weights.

What it says of a picture makes no sense; that it says different things of different ones does.
"""

import asyncio
import base64
import io
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import openai
import pytest
from openai import AsyncOpenAI
from PIL import Image
from tests import models, projector

from oxlo.catalogue import Variant
from oxlo.engines.base import EngineSpec, Launch
from oxlo.engines.llamacpp import LlamaCpp
from oxlo.hardware import machine
from oxlo.settings import Settings
from oxlo.testing.fleet import WatchedHost

pytestmark = pytest.mark.engine

#: Dimensions of a token of SmolLM2 135M.
WIDTH = 576
MODEL = models.model("sees", category="vision", abilities=("chat", "vision"), context_length=2048)


def launch(weights: list[Path], home: Path) -> Launch:
    settings = Settings(home=home, llamacpp_context=1024, llamacpp_slots=2, llamacpp_threads=1)
    variant = Variant(hardware="cpu", engine="llamacpp")
    return LlamaCpp().launch(EngineSpec(MODEL, variant, settings, weights, machine.here()))


@pytest.fixture
async def sdk(smollm2: Path, tmp_path: Path) -> AsyncIterator[AsyncOpenAI]:
    """A client of the engine, once it was warmed with a picture, too."""
    mmproj = projector.write(tmp_path / "mmproj.gguf", WIDTH)
    watched = WatchedHost(launch([smollm2, mmproj], tmp_path), tmp_path)
    ready = await watched.ready()
    url = f"{ready.address}/v1"
    async with AsyncOpenAI(base_url=url, api_key=ready.api_key, max_retries=0) as client:
        yield client
    await watched.end()


def square(colour: str) -> str:
    data = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(data, "PNG")
    return f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}"


async def seen(sdk: AsyncOpenAI, *urls: str) -> tuple[list[float], int]:
    """Log probabilities of the first words about pictures, and the prompt's tokens."""
    pictures = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    content = [{"type": "text", "text": "What is it?"}, *pictures]
    reply = await sdk.chat.completions.create(
        model=MODEL.id,
        messages=[{"role": "user", "content": content}],
        max_tokens=3,
        temperature=0,
        logprobs=True,
    )
    (choice,) = reply.choices
    assert choice.logprobs
    assert choice.logprobs.content
    assert reply.usage
    return [token.logprob for token in choice.logprobs.content], reply.usage.prompt_tokens


async def test_pictures_are_seen(sdk: AsyncOpenAI) -> None:
    """Another picture, other words; the same picture, the same; each takes its tokens."""
    nothing, words = await seen(sdk)
    red, with_one = await seen(sdk, square("red"))
    again, _ = await seen(sdk, square("red"))
    blue, _ = await seen(sdk, square("blue"))
    _, with_two = await seen(sdk, square("red"), square("blue"))
    assert red == pytest.approx(again, abs=1e-3)
    assert len({round(first, 3) for first, *_ in (nothing, red, blue)}) == 3
    assert with_one - words == projector.TOKENS
    assert with_two - words == 2 * projector.TOKENS


async def test_bad_pictures(sdk: AsyncOpenAI) -> None:
    """Files of the machine and bytes without sense are refused; the engine goes on."""
    for url in ("file:///etc/hostname", "data:image/png;base64,AAAA"):
        with pytest.raises(openai.BadRequestError):
            await seen(sdk, url)
    await seen(sdk, square("red"))


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel has to help")
async def test_engines_fetch_nothing(sdk: AsyncOpenAI) -> None:
    """An address that reached the engine all the same is not connected to."""
    connected = asyncio.Event()
    server = await asyncio.start_server(lambda *_: connected.set(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(openai.APIStatusError):
            await seen(sdk, f"http://127.0.0.1:{port}/x.png")
    assert not connected.is_set()
