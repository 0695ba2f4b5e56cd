"""The speech request."""

import msgspec
import pytest

from oxlo import catalogue
from oxlo.errors import BadRequest
from oxlo.wire import speech


def asked(**fields: object) -> speech.SpeechRequest:
    body = {"input": "Hi.", "model": "kokoro-82m"} | fields
    request, _ = speech.decode(msgspec.json.encode(body))
    speech.validate(request, catalogue.load().resolve(request.model))
    return request


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": " \n"}, "input"),
        ({"input": ["a"]}, "input"),
        ({"voice": "neutral"}, "voice"),
        ({"voice": {"id": "voice_1234"}}, "voice"),
        ({"response_format": "ogg"}, "response_format"),
        ({"speed": 0.2}, "speed"),
        ({"speed": 4.1}, "speed"),
        ({"speed": "1"}, "speed"),
        ({"stream_format": "ws"}, "stream_format"),
    ],
)
def test_bad_values_name_their_field(fields: dict[str, object], param: str) -> None:
    """400, whichever it is."""
    with pytest.raises(BadRequest) as refused:
        asked(**fields)
    assert refused.value.param == param


def test_another_name_of_the_text() -> None:
    """A text under another API's name: the error says what it is called here."""
    with pytest.raises(BadRequest, match=r"provide 'input'\. .* is called 'input' here"):
        speech.decode(b'{"text":"Hi.","model":"kokoro-82m"}')


def test_an_unknown_voice_is_told_all() -> None:
    """The model's own and OpenAI's."""
    with pytest.raises(BadRequest, match=r"af_heart.*alloy.*bm_george.*verse"):
        asked(voice="neutral")


def test_voices_where_the_catalogue_has_none() -> None:
    """A server that somebody else runs knows its own."""
    request, _ = speech.decode(b'{"input":"Hi.","model":"tts-1","voice":"anything"}')
    speech.validate(request, catalogue.load().resolve("whisper-base"))
    assert request.voice_name == "anything"


@pytest.mark.parametrize(("form", "sse"), [(None, False), ("audio", False), ("sse", True)])
def test_audio_streams_always(form: str | None, sse: bool) -> None:
    """As bytes, or as events."""
    request = asked(stream_format=form, voice="onyx", speed=4)
    assert (request.stream, request.sse) == (True, sse)
