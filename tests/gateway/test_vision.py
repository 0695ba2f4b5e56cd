"""Chats that show pictures: what the engine sees of them, and what never gets there."""

import asyncio
import base64
import io
import os
import random
import sys
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from PIL import Image
from tests.gateway.conftest import Answer, Platform, Start, StartMedia
from tests.pictures import bomb
from tests.waiting import PATIENCE, until

from oxlo.ledger.records import Settled
from oxlo.testing.engine import Script
from oxlo.testing.http import Connection, Reply, Request

PATH = "/v1/chat/completions"
NOISE = random.Random(1)


def drawn(side: int = 40, form: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.frombytes("RGB", (side, side), NOISE.randbytes(side * side * 3)).save(out, form)
    return out.getvalue()


def uri(content: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def shown(*urls: str) -> dict[str, object]:
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    said = {"role": "user", "content": [{"type": "text", "text": "What is it?"}, *parts]}
    return {"model": "seer", "messages": [said]}


class Pictures:
    """A web server with one picture, or with nothing yet."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.port = 0
        self.requests: list[Request] = []
        self.open = asyncio.Event()
        self.open.set()
        self.left = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/a.png"

    async def handle(self, request: Request, reply: Reply) -> None:
        self.requests.append(request)
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.left.set()
            raise
        await reply.whole(200, self.content, "image/png")


Begin = Callable[..., Awaitable[tuple[Platform, Pictures]]]


@pytest.fixture
def begin(start: Start, start_media: StartMedia) -> Begin:
    """A platform with a model that sees, the media process, and a web server that it may use."""

    async def begun(
        dialect: str = "openai", *, media: bool = True, **fields: object
    ) -> tuple[Platform, Pictures]:
        pictures = Pictures(drawn())
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Connection(pictures.handle), "127.0.0.1", 0)
        pictures.port = server.sockets[0].getsockname()[1]
        allowed = (f"127.0.0.1:{pictures.port}",)
        platform = await start(dialect, media_allow=allowed, **fields)
        platform.replicas(platform.engine, model="seer")
        if media:
            await start_media(platform)
        platform.on_end(server.close)
        return platform, pictures

    return begun


def seen(platform: Platform) -> list[str]:
    """The URLs of the pictures that the engine was shown."""
    body = platform.engine.calls[-1].json()
    parts = msgspec.convert(body["messages"], list[dict[str, object]])[0]["content"]
    assert isinstance(parts, list)
    return [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]


@pytest.mark.parametrize("dialect", ["openai", "vllm", "llamacpp"])
async def test_pictures_arrive_intact(begin: Begin, dialect: str) -> None:
    """Small and large data URIs and a URL, in their order, every byte as it was."""
    platform, pictures = await begin(dialect)
    small, large = drawn(), drawn(800)
    urls = (uri(small), pictures.url, uri(large))
    answer = await platform.call("POST", PATH, shown(*urls))
    assert answer.status == 200
    assert len(large) > 1 << 20
    assert seen(platform) == [uri(small), uri(pictures.content), uri(large)]
    assert platform.record(Settled, answer.headers["x-request-id"]).counted
    await platform.swept()


async def test_the_type_is_the_true_one(begin: Begin) -> None:
    """The type is detected by content, not by what the client declares."""
    platform, _ = await begin()
    content = drawn(form="JPEG")
    await platform.call("POST", PATH, shown(uri(content, "image/png")))
    assert seen(platform) == [uri(content, "image/jpeg")]


async def test_pictures_do_not_count_as_text(begin: Begin) -> None:
    """A plan's cap on input holds for words: a megabyte of picture is none of them (D18)."""
    platform, _ = await begin("llamacpp")
    key = platform.control.mint("free")
    answer = await platform.call("POST", PATH, shown(uri(drawn(500))), key=key)
    assert answer.status == 200


async def test_a_stream(begin: Begin) -> None:
    """Pictures and streaming go together."""
    platform, pictures = await begin()
    answer = await platform.call("POST", PATH, shown(pictures.url) | {"stream": True})
    assert answer.body.endswith(b"data: [DONE]\n\n")


async def test_a_model_that_cannot_see(begin: Begin) -> None:
    """It names those that can, before anything is fetched."""
    platform, pictures = await begin()
    platform.replicas(platform.engine, model="double")
    answer = await platform.call("POST", PATH, shown(pictures.url) | {"model": "double"})
    assert (answer.status, answer.code) == (400, "unsupported_ability")
    assert "seer" in answer.json()["error"]["message"]
    assert pictures.requests == []


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (uri(bomb()), "20000x20000 pixels"),
        (uri(drawn()[:-40]), "cut short"),
        (uri(b"just text"), "not a picture"),
        ("data:image/png;base64,AAAA!", "base64"),
        ("data:image/png,AAAA", "data URI"),
        ("http://127.0.0.1:1/a.png", "port 1"),
        ("http://127.0.0.1/a.png", "public addresses only"),
        ("http://169.254.169.254/latest/meta-data/", "public addresses only"),
        ("file:///etc/passwd", "only http and https"),
        ("oxlo-file:0", "base64"),
    ],
)
async def test_bad_pictures(begin: Begin, url: str, why: str) -> None:
    """Each is a 400 that names the picture; the engine is not asked, and nothing is counted."""
    platform, pictures = await begin()
    answer = await platform.call("POST", PATH, shown(pictures.url, url))
    error = answer.json()["error"]
    assert (answer.status, error["code"]) == (400, "invalid_value")
    assert error["param"] == "messages[0].content[2].image_url.url"
    assert why in error["message"]
    assert platform.engine.calls == []
    settled = platform.record(Settled, answer.headers["x-request-id"])
    assert (settled.counted, settled.minute_counted) == (False, False)
    await platform.swept()


async def test_no_room_for_pictures(begin: Begin) -> None:
    """A call that was admitted is given back when the disk takes no more."""
    platform, _ = await begin()
    platform.spool.rmdir()
    answer = await platform.call("POST", PATH, shown(uri(drawn())))
    assert (answer.status, answer.code) == (503, "overloaded")
    assert not platform.record(Settled, answer.headers["x-request-id"]).counted
    assert platform.gateway.calls == set()


async def test_hanging_up_while_fetching(begin: Begin) -> None:
    """The web server is let go at once, and nothing is left."""
    platform, pictures = await begin()
    pictures.open.clear()
    client = platform.client()
    await client.send("POST", PATH, shown(pictures.url))
    await until(lambda: bool(pictures.requests))
    client.leave()
    async with asyncio.timeout(PATIENCE):
        await pictures.left.wait()
    await platform.swept()
    (settled,) = await platform.ended()
    assert isinstance(settled, Settled)
    assert (settled.status, settled.counted) == (499, False)


async def test_nothing_is_fetched_where_nobody_may(begin: Begin) -> None:
    """An operator can disable URLs."""
    platform, pictures = await begin(media_fetch_mb=0)
    answer = await platform.call("POST", PATH, shown(pictures.url))
    assert "nothing is fetched here" in answer.json()["error"]["message"]
    assert pictures.requests == []
    assert (await platform.call("POST", PATH, shown(uri(drawn())))).status == 200


async def test_a_slow_web_server(begin: Begin) -> None:
    """It is waited for only so long, and the answer says so."""
    platform, pictures = await begin(media_fetch_seconds=0.05)
    pictures.open.clear()
    answer: Answer = await platform.call("POST", PATH, shown(pictures.url))
    assert (answer.status, answer.code) == (400, "invalid_value")
    assert "longer than 0.05 s" in answer.json()["error"]["message"]


async def test_large_words_are_read_as_ever(begin: Begin) -> None:
    """A body over 1 MB without a picture goes the same way, and arrives the same."""
    platform, _ = await begin()
    said = [{"role": "user", "content": "data:image/png;base64," + "A" * (1 << 20)}]
    platform.engine.next.append(Script())
    body = {"model": "seer", "messages": said, "max_tokens": 1}
    platform.replicas(platform.engine, model="seer", context_length=1 << 21)
    assert (await platform.call("POST", PATH, body)).status == 200
    assert platform.engine.calls[-1].json()["messages"] == said


async def process(platform: Platform, pictures: Pictures) -> asyncio.subprocess.Process:
    """The media process as `oxlo serve` runs it."""
    settings = platform.gateway.settings
    env = os.environ | {
        "OXLO_HOME": str(settings.home),
        "OXLO_MEDIA_ALLOW": f"127.0.0.1:{pictures.port}",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "oxlo", "media", "--with-parent",
        env=env, stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    platform.on_end(lambda: end(started))
    assert started.stderr is not None
    assert b"media.ready" in await asyncio.wait_for(started.stderr.readline(), PATIENCE)
    return started


async def end(started: asyncio.subprocess.Process) -> None:
    """Leave no process behind, whatever has failed."""
    if started.returncode is None:
        started.kill()
    await started.wait()


async def test_media_killed(begin: Begin) -> None:
    """The call that it worked for is 503 and may come back; the next process serves on."""
    platform, pictures = await begin(media=False)
    first = await process(platform, pictures)
    pictures.open.clear()
    client = platform.client()
    await client.send("POST", PATH, shown(pictures.url))
    await until(lambda: bool(pictures.requests))
    first.kill()
    answer = await client.answer()
    assert (answer.status, answer.code) == (503, "overloaded")
    assert int(answer.headers["retry-after"]) > 0
    await first.wait()
    pictures.open.set()
    second = await process(platform, pictures)
    assert (await platform.call("POST", PATH, shown(pictures.url))).status == 200
    await platform.swept()
    assert second.stdin is not None
    second.stdin.close()
    assert await asyncio.wait_for(second.wait(), PATIENCE) == 0
