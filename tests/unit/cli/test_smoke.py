"""The smoke tests of `oxlo models test`."""

import base64
import io
import json
import wave
from typing import Any, get_args

import msgspec
import pytest
from PIL import Image

from oxlo import catalogue
from oxlo.catalogue import Ability
from oxlo.cli.smoke import SmokeTest, UnexpectedReply, smoke_tests
from oxlo.gateway.endpoints import INFERENCE, Endpoint
from oxlo.wire import chat

PNG = base64.b64encode(b"\x89PNG rest").decode()


def smoke_test(ability: str) -> SmokeTest:
    """The test of one ability."""
    any_model = catalogue.load().resolve("smollm2-135m")
    model = msgspec.structs.replace(any_model, abilities=frozenset({ability}))
    (made,) = smoke_tests(model)
    return made


def answered(**message: Any) -> bytes:
    return json.dumps({"choices": [{"message": message, "text": "three"}]}).encode()


def test_every_ability_has_one() -> None:
    """Every ability has a test."""
    assert [smoke_test(ability).ability for ability in get_args(Ability)] == [*get_args(Ability)]


@pytest.mark.parametrize(
    ("ability", "reply", "seen"),
    [
        ("chat", answered(content="Hello  there."), "Hello there."),
        ("completions", answered(content=""), "three"),
        (
            "tools",
            answered(tool_calls=[{"function": {"name": "note", "arguments": '{"number":7}'}}]),
            'note({"number":7})',
        ),
        ("json", answered(content='{"ok": true}'), '{"ok": true}'),
        ("reasoning", answered(content="9.8", reasoning_content="Compare."), "Compare."),
        ("vision", answered(content="Red."), "Red."),
        ("embeddings", b'{"data": [{"embedding": [0.6, 0.8]}]}', "2 numbers"),
        ("images", json.dumps({"data": [{"b64_json": PNG}]}).encode(), "a picture of 9 bytes"),
        ("image_edits", json.dumps({"data": [{"b64_json": PNG}]}).encode(), "a picture of 9 bytes"),
        ("transcription", b'{"text": "Hello."}', "Hello."),
        ("translation", b'{"text": ""}', "nothing, as it should"),
        ("speech", b"RIFF1234WAVE", "12 bytes of sound"),
        ("detection", b'{"detections": []}', "0 objects"),
    ],
)
def test_good_replies(ability: str, reply: bytes, seen: str) -> None:
    """The response is summarised."""
    assert smoke_test(ability).check(reply) == seen


@pytest.mark.parametrize(
    ("ability", "reply"),
    [
        ("chat", b"<html>"),
        ("chat", answered()),
        ("tools", answered(content="I would call note(7).", tool_calls=None)),
        ("json", answered(content="Sure! {}")),
        ("json", answered(content='{"ok": 1}')),
        ("logprobs", answered(content="hi")),
        ("reasoning", answered(content="<think>Hm.</think> 9.8")),
        ("embeddings", b'{"data": []}'),
        ("images", b'{"data": [{"b64_json": "bm90IG9uZQ=="}]}'),
        ("speech", b'{"error": {}}'),
    ],
)
def test_bad_replies(ability: str, reply: bytes) -> None:
    """A status of 200 is not sufficient."""
    with pytest.raises((UnexpectedReply, LookupError, TypeError, ValueError)):
        smoke_test(ability).check(reply)


@pytest.mark.parametrize("endpoint", INFERENCE, ids=lambda endpoint: endpoint.name)
def test_requests_are_valid(endpoint: Endpoint) -> None:
    """Paths are right, and the platform accepts all fields."""
    made = smoke_test(endpoint.ability)
    assert made.path == endpoint.path
    if made.type == "application/json":
        assert endpoint.decode(made.body)[1] == ()


@pytest.mark.parametrize("ability", ["tools", "json", "logprobs", "reasoning", "vision"])
def test_chats_are_valid(ability: str) -> None:
    """Chats with additional fields are valid, too."""
    assert chat.decode(smoke_test(ability).body)[1] == ()


def test_samples_are_real() -> None:
    """The image and the audio file can be decoded."""
    picture = json.loads(smoke_test("detection").body)["image"]
    image = Image.open(io.BytesIO(base64.b64decode(picture)))
    assert (image.size, image.convert("RGB").getpixel((3, 3))) == ((64, 64), (255, 0, 0))
    sound = smoke_test("transcription").body
    with wave.open(io.BytesIO(sound[sound.index(b"RIFF") :])) as file:
        assert (file.getframerate(), file.getnframes()) == (16_000, 16_000)
