"""Images through the gateway and the real media process, with a double behind them."""

import base64
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.gateway.conftest import Answer, Platform, Start, StartMedia, mute
from tests.pictures import bomb, png

from oxlo.gateway.endpoints import IMAGE_EDITS, IMAGES
from oxlo.ledger.records import Settled
from oxlo.objects.links import Signer
from oxlo.testing.engine import Canned

Begin = Callable[..., Awaitable[Platform]]


PNG = png()
BASE64 = base64.b64encode(PNG).decode()


def made(count: int = 1, **fields: object) -> Canned:
    """The response of one of our engines."""
    data = [{"b64_json": BASE64, "seed": 7 + number} for number in range(count)]
    usage = {"input_tokens": 5, "output_tokens": 0, "total_tokens": 5}
    return Canned.json({"created": 1, "data": data, "size": "64x64", "usage": usage} | fields)


@pytest.fixture
def begin(start: Start, start_media: StartMedia) -> Begin:
    """Start a platform with an engine that makes pictures."""

    async def begun(reply: Canned | None = None, dialect: str = "oxlo", **fields: Any) -> Platform:
        platform = await start(**fields)
        for endpoint in (IMAGES, IMAGE_EDITS):
            platform.engine.canned[endpoint.path] = reply or made()
        platform.replicas(platform.engine, model="pictures", dialect=dialect)
        await start_media(platform)
        return platform

    return begun


async def asked(platform: Platform, **fields: object) -> Answer:
    body = {"model": "pictures", "prompt": "a fox"} | fields
    return await platform.call("POST", IMAGES.path, body)


async def edited(platform: Platform, **fields: object) -> Answer:
    body = {"model": "pictures", "prompt": "a fox", "image": f"data:image/png;base64,{BASE64}"}
    return await platform.call("POST", IMAGE_EDITS.path, body | fields)


def kept(platform: Platform) -> list[Path]:
    folder = Path(platform.gateway.settings.objects_location)
    return sorted(folder.rglob("*.*"))


@pytest.mark.parametrize(
    ("wanted", "fields", "files"),
    [(None, {"url", "b64_json"}, 1), ("url", {"url"}, 1), ("b64_json", {"b64_json"}, 0)],
)
async def test_links_and_base64(
    begin: Begin, wanted: str | None, fields: set[str], files: int
) -> None:
    """As asked for, and both where nothing is said; only what has a link is kept."""
    platform = await begin()
    answer = await asked(platform, response_format=wanted)
    assert answer.status == 200
    [item] = answer.json()["data"]
    assert item.keys() == fields | {"seed"}
    assert item.get("b64_json", BASE64) == BASE64
    assert [path.read_bytes() for path in kept(platform)] == [PNG] * files


async def test_a_link_leads_to_its_file(begin: Begin) -> None:
    """It is signed with the installation's secret, and holds for a day."""
    platform = await begin(public_url="https://ai.example/")
    url = urlsplit((await asked(platform)).json()["data"][0]["url"])
    [file], query = kept(platform), parse_qs(url.query)
    assert f"{url.scheme}://{url.netloc}{url.path}" == f"https://ai.example/media/{file.name}"
    signer = Signer("", platform.gateway.settings.signing_secret())
    expires = query["expires"][0]
    assert signer.allows(file.name, expires, query["signature"][0], int(expires) - 1)
    assert int(expires) == pytest.approx(platform.gateway.wall() + 86_400, abs=60)


async def test_one_request_with_its_tokens(begin: Begin) -> None:
    """However many images; the reply says what the engine said."""
    platform = await begin(made(3))
    answer = await asked(platform, n=3)
    assert [item["seed"] for item in answer.json()["data"]] == [7, 8, 9]
    assert (answer.json()["created"], answer.json()["size"]) == (1, "64x64")
    settled = platform.record(Settled, answer.headers["x-request-id"])
    assert (settled.endpoint, settled.counted, settled.tokens_in) == ("images", True, 5)
    assert settled.replica == "pictures-0"


async def test_what_reaches_our_engine(begin: Begin) -> None:
    """A size on the model's grid, the plan's cap, and nothing that it does not know."""
    platform = await begin()
    fields = {
        "size": "1536x864", "seed": 3, "quality": "hd", "user": "me", "id_slot": 1,
        "moderation": "low", "background": "opaque",
    }  # fmt: skip
    answer = await platform.call(
        "POST", IMAGES.path, {"model": "pictures", "prompt": "a fox"} | fields,
        key=platform.control.mint("free"),
    )  # fmt: skip
    assert answer.headers["x-oxlo-ignored-fields"] == "id_slot"
    assert platform.engine.calls[0].json() == {
        "model": "double", "prompt": "a fox", "n": 1, "size": "1536x896", "seed": 3,
        "quality": "hd", "max_input_tokens": 2048,
    }  # fmt: skip


async def test_what_reaches_others(begin: Begin) -> None:
    """Images themselves are asked for: links of others are not ours to promise."""
    platform = await begin(dialect="openai")
    await asked(platform, quality="hd", style="vivid")
    assert platform.engine.calls[0].json() == {
        "model": "double", "prompt": "a fox", "n": 1, "size": "1024x1024", "quality": "hd",
        "style": "vivid", "response_format": "b64_json",
    }  # fmt: skip


def event(kind: str, **fields: object) -> bytes:
    """One event of an image stream."""
    told = {"type": kind, "b64_json": BASE64} | fields
    return f"event: {kind}\ndata: {json.dumps(told)}\n\n".encode()


USAGE = {"input_tokens": 5, "output_tokens": 0, "total_tokens": 5}
PARTIAL = event("image_generation.partial_image", partial_image_index=0)
COMPLETED = event("image_generation.completed", usage=USAGE)


def streamed(*pieces: bytes, **fields: Any) -> Canned:
    return Canned(kind="text/event-stream", pieces=pieces, **fields)


@pytest.mark.parametrize("dialect", ["oxlo", "openai"])
async def test_a_stream(begin: Begin, dialect: str) -> None:
    """Images as they come, under their names; the last one after the receipt, and no `[DONE]`."""
    platform = await begin(streamed(PARTIAL, COMPLETED, gate="go"), dialect)
    client = platform.client()
    body = {"model": "pictures", "prompt": "a fox", "stream": True, "partial_images": 1}
    await client.send("POST", IMAGES.path, body)
    head = await client.head()
    assert head.headers["content-type"].startswith("text/event-stream")
    assert PARTIAL in await client.reader.readuntil(b"\n\n")
    assert not any(isinstance(record, Settled) for record in platform.records())
    platform.engine.gates["go"].set()
    assert COMPLETED in await client.reader.read()
    settled = platform.record(Settled, head.headers["x-request-id"])
    assert (settled.endpoint, settled.counted, settled.tokens_in) == ("images", True, 5)
    sent = platform.engine.calls[0].json()
    assert (sent["stream"], sent["partial_images"]) == (True, 1)
    assert "response_format" not in sent
    assert kept(platform) == []


async def test_an_edit_as_a_stream(begin: Begin) -> None:
    """Its events have names of their own; without partial images there is one."""
    done = event("image_edit.completed", usage=USAGE)
    platform = await begin(streamed(done[:40], done[40:]))
    answer = await edited(platform, stream=True)
    assert answer.body == done
    assert b'name="stream"\r\n\r\ntrue\r\n' in platform.engine.calls[0].body
    assert platform.record(Settled, answer.headers["x-request-id"]).counted


@pytest.mark.parametrize(
    "last",
    [b"", event("image_generation.completed", b64_json="aGVsbG8="), b"data: {\n\n"],
    ids=["nothing", "no picture", "no json"],
)
async def test_a_stream_that_breaks_off(begin: Begin, last: bytes) -> None:
    """An error is its last event, and it does not count."""
    platform = await begin(streamed(PARTIAL, last))
    answer = await asked(platform, stream=True, partial_images=1)
    told = answer.body.removeprefix(PARTIAL).removeprefix(b"data: ")
    assert json.loads(told)["error"]["code"] == "engine_failed"
    assert not platform.record(Settled, answer.headers["x-request-id"]).counted


async def test_a_server_that_does_not_stream(begin: Begin) -> None:
    """A request to stream at a server that cannot is a 400, and the server is still used."""
    platform = await begin(dialect="openai")
    for _ in range(4):
        answer = await asked(platform, stream=True)
        assert (answer.status, answer.json()["error"]["param"]) == (400, "stream")
    assert (await asked(platform)).status == 200


async def test_a_refusal_in_a_stream(begin: Begin) -> None:
    """A client error at the end of an engine's stream is passed on."""
    error = {
        "message": "Held back.",
        "type": "invalid_request_error",
        "code": "content_policy_violation",
    }
    platform = await begin(
        streamed(PARTIAL, b"data: %b\n\n" % json.dumps({"error": error}).encode())
    )
    answer = await asked(platform, stream=True, partial_images=1)
    told = json.loads(answer.body.removeprefix(PARTIAL).removeprefix(b"data: "))
    assert told["error"]["code"] == "content_policy_violation"
    assert not platform.record(Settled, answer.headers["x-request-id"]).counted


@pytest.mark.parametrize(("seen", "outcome"), [(PARTIAL, "abandoned"), (b": hm\n\n", "cancelled")])
async def test_who_leaves_a_stream(begin: Begin, seen: bytes, outcome: str) -> None:
    """As of a chat: what was seen is what makes the difference (D11). The engine is let go."""
    platform = await begin(streamed(seen, COMPLETED, gate="go"))
    client = platform.client()
    await client.send("POST", IMAGES.path, {"prompt": "a fox", "stream": True})
    await platform.engine.until(lambda e: len(e.calls) == 1)
    if seen is PARTIAL:
        await client.reader.readuntil(PARTIAL)
    client.leave()
    await platform.engine.until(lambda e: e.cancelled == 1)
    [settled] = await platform.ended()
    assert isinstance(settled, Settled)
    assert settled.outcome == outcome


async def test_a_stream_that_is_asked_for_twice(begin: Begin) -> None:
    """The same key gets the same events, and costs nothing more."""
    platform = await begin(streamed(PARTIAL, COMPLETED))
    body, key = {"prompt": "a fox", "stream": True}, {"idempotency-key": "k"}
    answers = [await platform.call("POST", IMAGES.path, body, key) for _ in range(2)]
    assert [answer.body for answer in answers] == [PARTIAL + COMPLETED] * 2
    assert len(platform.engine.calls) == 1


@pytest.mark.parametrize("name", ["", None])
async def test_no_model_named(begin: Begin, name: str | None) -> None:
    """Without a model, one that is ready answers, and the receipt names it."""
    platform = await begin()
    body = {"prompt": "a fox"} | ({} if name is None else {"model": name})
    answer = await platform.call("POST", IMAGES.path, body)
    assert answer.status == 200
    assert platform.record(Settled, answer.headers["x-request-id"]).model == "pictures"


async def test_no_model_is_ready(start: Start) -> None:
    """Without a model, and with none ready, the call is refused."""
    platform = await start()
    answer = await platform.call("POST", IMAGES.path, {"prompt": "a fox"})
    assert (answer.status, answer.code) == (503, "model_not_deployed")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 9}, "n"), ({"size": "9000x64"}, "size"), ({"size": "big"}, "size"),
        ({"width": 100}, "width"), ({"num_inference_steps": 0}, "num_inference_steps"),
        ({"guidance_scale": 99}, "guidance_scale"), ({"prompt": " "}, "prompt"),
        ({"prompt": "x" * 32_001}, "prompt"), ({"stream": True, "n": 2}, "n"),
        ({"negative_prompt": "x" * 32_001}, "negative_prompt"),
        ({"response_format": "png"}, "response_format"),
        ({"output_format": "gif"}, "output_format"), ({"partial_images": 2}, "partial_images"),
        ({"background": "transparent"}, "background"), ({"seed": "x"}, "seed"),
        ({"stream": True, "partial_images": 4}, "partial_images"),
        ({"stream": True, "response_format": "url"}, "response_format"),
        ({"output_compression": 99}, "output_compression"), ({"style": "vivid"}, "style"),
    ],
)  # fmt: skip
async def test_bad_values(begin: Begin, fields: dict[str, object], param: str) -> None:
    """A 400 that names the field; the engine is not asked, and nothing is counted."""
    platform = await begin()
    answer = await asked(platform, **fields)
    assert (answer.status, answer.json()["error"]["param"]) == (400, param)
    assert platform.engine.calls == []
    assert not any(r.counted for r in platform.records() if isinstance(r, Settled))


@pytest.mark.parametrize(
    "reply",
    [
        made(2),
        Canned.json({"created": 1, "data": []}),
        Canned.json({"created": 1, "data": [{"b64_json": "!!!"}]}),
        Canned.json({"created": 1, "data": [{"b64_json": "aGVsbG8="}]}),
        Canned.json({"created": 1, "data": [{"url": "https://elsewhere.example/x.png"}]}),
        Canned(pieces=(b"not json",)),
    ],
    ids=["too many", "none", "no base64", "no picture", "a link", "no json"],
)
async def test_engines_that_fail(begin: Begin, reply: Canned) -> None:
    """An invalid response does not count, and nothing of it is stored."""
    platform = await begin(reply)
    answer = await asked(platform)
    assert (answer.status, answer.code) == (502, "engine_failed")
    assert not platform.record(Settled, answer.headers["x-request-id"]).counted
    assert len(kept(platform)) == 0


async def test_what_cannot_be_kept(begin: Begin) -> None:
    """No link, no answer: it is not counted. Base64 needs no store."""
    platform = await begin()
    folder = Path(platform.gateway.settings.objects_location)
    (folder / "images").write_bytes(b"in the way")
    answer = await asked(platform, response_format="url")
    assert (answer.status, answer.code) == (500, "internal_error")
    assert not platform.record(Settled, answer.headers["x-request-id"]).counted
    assert (await asked(platform, response_format="b64_json")).status == 200


async def test_the_slot_is_free_while_images_are_kept(start: Start) -> None:
    """The next call is drawn while the media process is still busy: here it never answers."""
    platform = await start()
    platform.engine.canned[IMAGES.path] = made()
    platform.replicas(platform.engine, model="pictures", dialect="oxlo", slots=1)
    media = await mute(platform, {})
    for _ in range(2):
        await platform.client().send("POST", IMAGES.path, {"prompt": "a fox"})
        assert await media.asked.get() == "/keep"
    for client in platform.clients:
        client.leave()
        await media.left.get()
    for settled in await platform.ended(2):
        assert isinstance(settled, Settled)
        assert (settled.outcome, settled.minute_counted) == ("abandoned", True)


async def test_without_media(start: Start) -> None:
    """While the media process is away, images are made for nothing, and not counted."""
    platform = await start()
    platform.engine.canned[IMAGES.path] = made()
    platform.replicas(platform.engine, model="pictures", dialect="oxlo")
    answer = await asked(platform)
    assert (answer.status, answer.code) == (500, "internal_error")
    assert not platform.record(Settled, answer.headers["x-request-id"]).counted


async def test_edits_in_json(begin: Begin) -> None:
    """The engine gets a form, its file the bytes of the data URI; the size is the image's own."""
    platform = await begin()
    answer = await edited(platform, strength=0.5, seed=3)
    assert answer.status == 200
    form = platform.engine.calls[0].body
    assert b'name="image"; filename="image"\r\ncontent-type: image/png\r\n\r\n' + PNG in form
    assert b'name="strength"\r\n\r\n0.5\r\n' in form
    assert b'name="size"' not in form
    assert platform.record(Settled, answer.headers["x-request-id"]).endpoint == "image_edits"


async def test_edits_as_a_form(begin: Begin) -> None:
    """As the SDKs send them: an image, a mask, and numbers as text."""
    platform = await begin()
    mask = png("white")
    parts = {"image[]": PNG, "mask": mask, "prompt": b"a fox", "n": b"1", "size": b"512x512"}
    body = b"".join(
        b'--b\r\ncontent-disposition: form-data; name="%b"%b\r\n\r\n%b\r\n'
        % (name.encode(), b'; filename="x"' if value in (PNG, mask) else b"", value)
        for name, value in parts.items()
    )
    head = {"content-type": "multipart/form-data; boundary=b"}
    answer = await platform.call("POST", IMAGE_EDITS.path, body + b"--b--\r\n", head)
    assert answer.status == 200
    form = platform.engine.calls[0].body
    assert (form.count(PNG), form.count(mask)) == (1, 1)
    assert b'name="mask"' in form
    assert b'name="size"\r\n\r\n512x512' in form


@pytest.mark.parametrize(
    ("image", "why"),
    [
        ("!!! no base64", "image"),
        (base64.b64encode(b"hello " * 40).decode(), "not a picture"),
        (BASE64[:-40], "broken"),
        (base64.b64encode(bomb()).decode(), "megapixels"),
        ("http://127.0.0.1/x.png", "address"),
        ([BASE64, BASE64], "one image"),
    ],
    ids=["base64", "text", "cut", "bomb", "loopback", "two"],
)
async def test_bad_images(begin: Begin, image: object, why: str) -> None:
    """A 400 that names the field; the engine is not asked, and nothing is counted."""
    platform = await begin()
    answer = await edited(platform, image=image)
    error = answer.json()["error"]
    assert (answer.status, error["param"]) == (400, "image")
    assert why in error["message"]
    assert platform.engine.calls == []
    assert not any(r.counted for r in platform.records() if isinstance(r, Settled))


async def test_an_edit_without_an_image(begin: Begin) -> None:
    """Says what is missing."""
    platform = await begin()
    answer = await platform.call("POST", IMAGE_EDITS.path, {"prompt": "a fox"})
    assert (answer.status, answer.code) == (400, "missing_required_parameter")
