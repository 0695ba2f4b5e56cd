"""Calls that come with files: unpacked and looked into by the real media process."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.gateway.conftest import Answer, Platform, Start, StartMedia, mute
from tests.waiting import PATIENCE

from oxlo.engines.dialect import Answer as EngineAnswer
from oxlo.engines.dialect import Decided, EngineCall, Usage
from oxlo.engines.parts import form
from oxlo.gateway.endpoints import INFERENCE, Endpoint
from oxlo.gateway.routes import Routes
from oxlo.ledger.records import Refused, Settled
from oxlo.testing.engine import Canned
from oxlo.wire.media import Medium
from oxlo.wire.request import Whole

PATH = "/v1/listen"
SOUND = b"RIFF\0\0\0\0WAVE" + random.Random(1).randbytes(3 << 20)


class Listen(msgspec.Struct, Whole, kw_only=True):
    """A request like those of the endpoints that take recordings."""

    file: str
    model: str
    temperature: float | None = None
    words: list[str] = []

    @property
    def text_bytes(self) -> int:
        return 0

    def media(self) -> tuple[Medium, ...]:
        return (Medium(source=self.file, kind="audio", param="file"),)


_form = msgspec.json.Decoder(Listen, strict=False)


def _build(request: Listen, decided: Decided) -> EngineCall:
    said = [("temperature", str(request.temperature)), *(("words[]", w) for w in request.words)]
    kind, parts = form(said, [("file", decided.files[0])], "bound")
    return EngineCall(PATH, parts, kind)


LISTEN = Endpoint(
    name="listen",
    path=PATH,
    ability="embeddings",
    decode=None,
    forms=lambda body: (_form.decode(body), ()),
    media=("file",),
    validate=lambda request, model: None,
    build=lambda _, request, decided: _build(request, decided),
    reply=lambda _, body, request, decided: EngineAnswer(body, Usage(), "stop"),
)

Begin = Callable[..., Awaitable[Platform]]


@pytest.fixture
def begin(start: Start, start_media: StartMedia) -> Begin:
    """Start a platform with an endpoint that listens, and the real media process."""

    async def begun(*, media: bool = True, **fields: Any) -> Platform:
        platform = await start(**fields)
        platform.gateway.routes = Routes(
            platform.gateway, platform.gateway.idempotency, (*INFERENCE, LISTEN)
        )
        platform.replicas(platform.engine, model="vectors")
        platform.engine.canned[PATH] = Canned.json({"text": "hello"})
        if media:
            await start_media(platform)
        return platform

    return begun


def sent(sound: bytes = SOUND, name: str = "a.wav") -> tuple[bytes, dict[str, str]]:
    """A client's form: the file first, then the fields."""
    head = f'--b\r\ncontent-disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    fields = {"model": "vectors", "temperature": "0.5", "words[]": "one"}
    rest = "".join(
        f'\r\n--b\r\ncontent-disposition: form-data; name="{key}"\r\n\r\n{value}'
        for key, value in fields.items()
    )
    body = head.encode() + sound + f"{rest}\r\n--b--\r\n".encode()
    return body, {"content-type": "multipart/form-data; boundary=b"}


async def listened(platform: Platform, *form: Any) -> Answer:
    return await platform.call("POST", PATH, *sent(*form))


@pytest.mark.parametrize("sound", [SOUND, SOUND[:1000]], ids=["spooled", "in memory"])
async def test_a_form_reaches_the_engine(begin: Begin, sound: bytes) -> None:
    """Numbers are numbers, lists are lists, the file is the same; then nothing is left."""
    platform = await begin()
    answer = await listened(platform, sound)
    assert (answer.status, answer.json()) == (200, {"text": "hello"})
    body = platform.engine.calls[0].body
    assert b'name="temperature"\r\n\r\n0.5\r\n' in body
    assert b'name="words[]"\r\n\r\none\r\n' in body
    assert b'filename="a.wav"\r\ncontent-type: audio/wav\r\n\r\n' + sound + b"\r\n--bound" in body
    assert platform.record(Settled, answer.headers["x-request-id"]).counted
    await platform.swept()


async def test_another_replica_gets_the_file_too(begin: Begin) -> None:
    """A try that failed has not used it up."""
    platform = await begin()
    platform.engine.canned[PATH] = Canned.json({}, 500)
    platform.replicas(platform.engine, platform.engine, model="vectors")
    assert (await listened(platform)).status == 502
    assert [SOUND in request.body for request in platform.engine.calls] == [True, True]
    await platform.swept()


async def test_a_text_named_wav(begin: Begin) -> None:
    """File types are detected by content; an invalid file never reaches the engine or counts."""
    platform = await begin()
    answer = await listened(platform, b"this is no sound at all, but text")
    assert (answer.status, answer.code) == (400, "invalid_value")
    assert answer.json()["error"]["param"] == "file"
    settled = platform.record(Settled, answer.headers["x-request-id"])
    assert (settled.outcome, settled.counted) == ("refused", False)
    assert platform.engine.calls == []
    await platform.swept()


async def test_a_broken_form(begin: Begin) -> None:
    """Refused before anything is reserved, with a receipt."""
    platform = await begin()
    body, headers = sent()
    answer = await platform.call("POST", PATH, body[:-9], headers)
    assert (answer.status, answer.code) == (400, "bad_form")
    assert platform.record(Refused, answer.headers["x-request-id"]).status == 400
    await platform.swept()


@pytest.mark.parametrize(
    ("path", "kind", "why"),
    [
        (PATH, "application/json", "multipart/form-data"),
        (PATH, "", "-F file=@FILE"),
        ("/v1/embeddings", "multipart/form-data; boundary=b", "application/json"),
    ],
)
async def test_wrong_type(begin: Begin, path: str, kind: str, why: str) -> None:
    """The 415 says which type is taken."""
    platform = await begin(media=False)
    answer = await platform.call("POST", path, b"{}", {"content-type": kind})
    assert answer.status == 415
    assert why in answer.json()["error"]["message"]


async def test_without_media(begin: Begin) -> None:
    """While the media process is away, such calls are 503 and may come back; others go on."""
    platform = await begin(media=False)
    answer = await listened(platform)
    assert (answer.status, answer.code) == (503, "overloaded")
    assert int(answer.headers["retry-after"]) > 0
    platform.replicas(platform.engine)
    assert (await platform.chat()).status == 200
    await platform.swept()


UNPACKED = {"/unpack": b'{"body":{"model":"vectors","file":"oxlo-file:0"},"files":[]}'}


@pytest.mark.parametrize(
    ("answers", "stage", "kind", "outcome"),
    [({}, "/unpack", Refused, "client_closed"), (UNPACKED, "/inspect", Settled, "client_closed")],
    ids=["unpacking", "preparing"],
)
async def test_hanging_up(
    begin: Begin, answers: dict[str, bytes], stage: str, kind: Any, outcome: str
) -> None:
    """A disconnect cancels whatever is in progress; a receipt is written, and nothing is left."""
    platform = await begin(media=False)
    media = await mute(platform, answers)
    client = platform.client()
    await client.send("POST", PATH, *sent())
    while await media.asked.get() != stage:
        pass
    client.leave()
    assert await asyncio.wait_for(media.left.get(), PATIENCE) == stage
    await platform.swept()
    (record,) = await platform.ended()
    assert isinstance(record, kind)
    assert (record.status, record.error) == (499, outcome)
    assert platform.gateway.calls == set()
    assert not getattr(record, "counted", False)


async def test_media_that_hangs(begin: Begin) -> None:
    """It is waited for only so long."""
    platform = await begin(media=False, media_timeout=0.05)
    await mute(platform, {})
    assert (await listened(platform)).status == 503
    await platform.swept()


async def test_drain_ends_unpacking(begin: Begin) -> None:
    """A call whose files are not ready at the end of a drain gets an error."""
    platform = await begin(media=False, drain_seconds=0.0)
    media = await mute(platform, {})
    client = platform.client()
    await client.send("POST", PATH, *sent())
    await media.asked.get()
    await platform.gateway.drain()
    assert (await client.answer()).code == "shutting_down"
    await platform.swept()


async def test_leftovers_go_at_the_start(start: Start, tmp_path: Path) -> None:
    """Files left by a killed gateway are removed by the next one."""
    left = tmp_path / "run" / "media" / "g1"
    left.mkdir(parents=True)
    (left / "body-x").write_bytes(b"left")
    platform = await start()
    assert platform.spool == left
    assert list(left.iterdir()) == []


async def test_a_home_with_any_name(begin: Begin, tmp_path: Path) -> None:
    """Paths travel between the processes whatever is in them."""
    platform = await begin(home=tmp_path / "Größe % 1")
    assert (await listened(platform)).status == 200


async def test_no_room_for_files(begin: Begin) -> None:
    """A disk that takes no more is a 503, with a receipt and nothing held."""
    platform = await begin()
    platform.spool.rmdir()
    answer = await listened(platform, SOUND[:1000])
    assert (answer.status, answer.code) == (503, "overloaded")
    assert platform.record(Refused, answer.headers["x-request-id"]).status == 503
    assert platform.gateway.calls == set()
