"""Detection through the gateway and the real media process, with a double behind them."""

import base64
from collections.abc import Awaitable, Callable
from email.parser import BytesParser

import pytest
from tests.gateway.conftest import Platform, Start, StartMedia
from tests.pictures import png

from oxlo.gateway.endpoints import DETECT
from oxlo.ledger.records import Settled
from oxlo.testing.engine import Canned
from oxlo.testing.http import Request

Begin = Callable[..., Awaitable[Platform]]


PNG = png(size=(40, 30))
BASE64 = base64.b64encode(PNG).decode()
FOUND = {
    "model": "engine-name",
    "image": {"width": 40, "height": 30},
    "count": 1,
    "detections": [{"class_id": 0, "class_name": "person", "confidence": 0.9}],
}


@pytest.fixture
def begin(start: Start, start_media: StartMedia) -> Begin:
    """Start a platform with an engine that finds things."""

    async def begun(reply: Canned | None = None) -> Platform:
        platform = await start()
        platform.engine.canned[DETECT.path] = reply or Canned.json(FOUND)
        platform.replicas(platform.engine, model="finder", dialect="oxlo")
        await start_media(platform)
        return platform

    return begun


def parts(request: Request) -> list[tuple[str, bytes]]:
    """A form's parts, by name."""
    head = f"content-type: {request.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser().parsebytes(head + request.body)
    found = []
    for part in message.walk():
        name = part.get_param("name", header="content-disposition")
        if name:
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            found.append((str(name), content))
    return found


async def test_json_becomes_a_form(begin: Begin) -> None:
    """The picture arrives as bytes, the rest in one spelling, and nothing else at all."""
    platform = await begin()
    fields = {
        "model": "finder", "image": BASE64, "confidence_threshold": 0.5, "classes": "person, 2",
        "max_detections": 7, "annotated": True, "id_slot": 3,
    }  # fmt: skip
    answer = await platform.call("POST", DETECT.path, fields)
    assert answer.status == 200
    assert parts(platform.engine.calls[0]) == [
        ("model", b"double"), ("confidence", b"0.5"), ("max_detections", b"7"),
        ("classes", b"person"), ("classes", b"2"), ("annotated", b"true"), ("image", PNG),
    ]  # fmt: skip


async def test_one_request_and_the_public_name(begin: Begin) -> None:
    """The reply is the engine's, under the model's own name; one request is counted."""
    platform = await begin()
    image = f"data:image/png;base64,{BASE64}"
    answer = await platform.call("POST", DETECT.path, {"model": "finder", "image": image})
    assert answer.json() == FOUND | {"model": "finder"}
    settled = platform.record(Settled, answer.headers["x-request-id"])
    assert (settled.endpoint, settled.counted) == ("detect", True)


async def test_a_form_is_taken_too(begin: Begin) -> None:
    """With the picture as a file."""
    platform = await begin()
    body = (
        b'--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nfinder\r\n'
        b'--b\r\ncontent-disposition: form-data; name="confidence"\r\n\r\n0.5\r\n'
        b'--b\r\ncontent-disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
        b"%b\r\n--b--\r\n" % PNG
    )
    answer = await platform.call(
        "POST", DETECT.path, body, headers={"content-type": "multipart/form-data; boundary=b"}
    )
    assert answer.status == 200
    assert dict(parts(platform.engine.calls[0]))["image"] == PNG


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("aGVsbG8=", "picture"),
        ("no base64!", "base64"),
        (base64.b64encode(PNG[:40]).decode(), "cannot be read"),
        ("http://127.0.0.1/a.png", "address"),
    ],
)
async def test_what_is_no_picture(begin: Begin, image: str, words: str) -> None:
    """Refused before the engine, and not counted."""
    platform = await begin()
    answer = await platform.call("POST", DETECT.path, {"model": "finder", "image": image})
    error = answer.json()["error"]
    assert (answer.status, error["param"]) == (400, "image")
    assert words in error["message"]
    assert platform.engine.calls == []


async def test_the_documented_model_is_not_here(begin: Begin) -> None:
    """A call that names no model means YOLOv11; one that is ready is named, and none is put in."""
    platform = await begin()
    answer = await platform.call("POST", DETECT.path, {"image": BASE64})
    error = answer.json()["error"]
    assert (answer.status, error["code"]) == (503, "model_not_deployed")
    assert "yolov11" in error["message"]
    assert "finder" in error["message"]


async def test_nonsense_from_the_engine(begin: Begin) -> None:
    """A response without even an empty result is an engine failure."""
    platform = await begin(Canned.json({"model": "m"}))
    answer = await platform.call("POST", DETECT.path, {"model": "finder", "image": BASE64})
    assert answer.status == 502
