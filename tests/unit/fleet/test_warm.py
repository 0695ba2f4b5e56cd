"""Warm-up requests, against the double."""

import msgspec
import pytest

from oxlo.engines.base import Launch
from oxlo.fleet.fetch import Content
from oxlo.fleet.warm import WarmUpFailed, requests, warm
from oxlo.testing.engine import Canned, EngineDouble, Script

LAUNCH = Launch(
    model="m",
    kind="llamacpp",
    dialect="llamacpp",
    engine_model="m",
    slots=1,
    context_length=8192,
    abilities=frozenset({"chat", "json", "completions"}),
)


async def test_every_ability_is_exercised() -> None:
    """Plain, streamed, constrained and legacy requests are all sent and all answered."""
    async with EngineDouble("llamacpp") as double:
        warmth = await warm(LAUNCH, double.address)
        bodies = [call.json() for call in double.calls]
    assert warmth.first_ms > 0
    assert warmth.warm_ms > 0
    assert double.answered == len(bodies) == 5
    assert any(body.get("stream") for body in bodies)
    assert any("response_format" in body for body in bodies)
    assert double.counts["POST /v1/completions"] == 1


def test_upstream_gets_one_tiny_request() -> None:
    """A provider may charge for it, and OpenAI's newer models refuse max_tokens."""
    upstream = msgspec.structs.replace(LAUNCH, kind="upstream", dialect="openai")
    ((_, body),) = requests(upstream)
    assert body["max_completion_tokens"] == 16
    assert "max_tokens" not in body


async def test_an_error_fails_the_warm_up() -> None:
    """The engine's own words are in the reason."""
    async with EngineDouble("llamacpp") as double:
        double.default = Script(status=500)
        with pytest.raises(WarmUpFailed, match=r"500.*scripted error"):
            await warm(LAUNCH, double.address)


@pytest.mark.parametrize(("dialect", "steps"), [("oxlo", 2), ("openai", None)])
def test_images_are_drawn_in_few_steps(dialect: str, steps: int | None) -> None:
    """By engines that know what a step is."""
    engine = msgspec.structs.replace(LAUNCH, dialect=dialect, abilities=frozenset({"images"}))
    for path, body in requests(engine):
        assert isinstance(body, dict)
        assert (path, body.get("num_inference_steps")) == ("/v1/images/generations", steps)


def test_listeners_get_a_recording() -> None:
    """A form, with a second of sound in it."""
    engine = msgspec.structs.replace(LAUNCH, abilities=frozenset({"transcription", "translation"}))
    sent = list(requests(msgspec.structs.replace(engine, dialect="oxlo")))
    assert {path for path, _ in sent} == {"/v1/audio/transcriptions", "/v1/audio/translations"}
    assert sum(b'name="stream"\r\n\r\ntrue' in content.data for _, content in sent) == 1  # type: ignore[attr-defined]
    for _, content in sent:
        assert isinstance(content, Content)
        assert content.type == "multipart/form-data; boundary=oxlo"
        assert b"RIFF" in content.data
        assert len(content.data) > 16_000


@pytest.mark.parametrize(("dialect", "voice"), [("oxlo", None), ("openai", "alloy")])
def test_speakers_say_a_word(dialect: str, voice: str | None) -> None:
    """In a voice that they have."""
    engine = msgspec.structs.replace(LAUNCH, dialect=dialect, abilities=frozenset({"speech"}))
    for path, body in requests(engine):
        assert isinstance(body, dict)
        assert (path, body.get("voice")) == ("/v1/audio/speech", voice)
    told = [body.get("stream_format") for _, body in requests(engine)]  # type: ignore[attr-defined]
    assert told == ([None, None, "sse"] if dialect == "oxlo" else [None, None])


async def test_detectors_are_shown_a_picture() -> None:
    """As a form with a file, which is how pictures are sent to them."""
    detector = msgspec.structs.replace(
        LAUNCH, dialect="oxlo", kind="onnx", abilities=frozenset({"detection"})
    )
    async with EngineDouble("openai") as double:
        double.canned["/v1/detect"] = Canned.json({"detections": []})
        await warm(detector, double.address)
        first, second = double.calls
    assert first.body == second.body
    assert first.headers["content-type"].startswith("multipart/form-data")
    assert b'name="image"; filename="grey.png"\r\n\r\n\x89PNG' in first.body


def test_embeddings_of_short_and_long_texts() -> None:
    """Within what the model reads at once; short ones often, as they take next to nothing."""
    engine = msgspec.structs.replace(
        LAUNCH, abilities=frozenset({"embeddings"}), context_length=256
    )
    inputs = [body["input"] for _, body in requests(engine)]  # type: ignore[index]
    lengths = [len(text.split()) for text in inputs if isinstance(text, str)]
    assert lengths[:3] == [64, 64, 1]
    assert set(lengths[3:]) == {1}
    assert sum(isinstance(text, list) for text in inputs) == 1


def test_edits_are_warmed_with_a_picture() -> None:
    """As a form, which is how engines take them."""
    engine = msgspec.structs.replace(LAUNCH, dialect="oxlo", abilities=frozenset({"image_edits"}))
    path, body = next(requests(engine))
    assert path == "/v1/images/edits"
    assert isinstance(body, Content)
    assert b'name="image"; filename="grey.png"\r\n\r\n\x89PNG' in body.data
    assert b'name="num_inference_steps"\r\n\r\n2\r\n' in body.data
