"""The transcription request, as the form that it came in says it."""

import msgspec
import pytest

from oxlo import catalogue
from oxlo.errors import BadRequest
from oxlo.wire import languages, transcription
from oxlo.wire.transcription import TranscriptionRequest


def asked(**fields: object) -> TranscriptionRequest:
    """Values are texts, as in a form."""
    body = {"file": "oxlo-file:0", "model": "whisper-base"} | fields
    request, _ = transcription.decode(msgspec.json.encode(body))
    transcription.validate(request, catalogue.load().resolve(request.model))
    return request


def test_texts_are_what_they_stand_for() -> None:
    """A form has no numbers."""
    request = asked(
        temperature="0.5",
        stream="true",
        language="DE",
        timestamp_granularities=None,
    )
    assert (request.temperature, request.stream) == (0.5, True)


def test_one_granularity_is_a_list_too() -> None:
    """Forms name a list once where it holds one, with brackets or without."""
    for sent in ("word", ["word"]):
        request = asked(timestamp_granularities=sent, response_format="verbose_json")
        assert request.granularities == ("word",)
    assert asked().granularities == ()


def test_fields_that_are_not_read_are_named() -> None:
    """As the SDK writes them in a form: an object is a field for each of its own."""
    body = {"file": "oxlo-file:0", "model": "m", "chunking_strategy[type]": "server_vad"}
    named = transcription.decode(msgspec.json.encode(body | {"include": ["logprobs"]}))[1]
    assert named == ("chunking_strategy[type]", "include")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"file": "https://example.com/a.mp3"}, "file"),
        ({"file": ["oxlo-file:0", "oxlo-file:1"]}, "file"),
        ({"language": "german"}, "language"),
        ({"language": "xx"}, "language"),
        ({"temperature": "1.5"}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"response_format": "diarized_json"}, "response_format"),
        ({"timestamp_granularities": ["word"]}, "timestamp_granularities"),
        (
            {"timestamp_granularities": ["letter"], "response_format": "verbose_json"},
            "timestamp_granularities[0]",
        ),
        ({"stream": "true", "response_format": "srt"}, "response_format"),
        ({"chunking_strategy": "server"}, "chunking_strategy"),
    ],
)
def test_bad_values_name_their_field(fields: dict[str, object], param: str) -> None:
    """400, whichever it is."""
    with pytest.raises(BadRequest) as refused:
        asked(**fields)
    assert refused.value.param == param


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"file":"a.mp3","model":"m"}', "With curl: -F file=@speech.mp3"),
        (b'{"model":"m"}', "With curl: -F file=@speech.mp3"),
        (b'{"model":"m","x":"y"}', "With curl: -F file=@speech.mp3"),
        (b'{"audio":"oxlo-file:0","model":"m"}', "The recording is called 'file' here."),
        (b'{"file":"oxlo-file:0","temperature":"hot"}', "expected number or null, got string."),
    ],
)
def test_slips_in_a_form(body: bytes, words: str) -> None:
    """The error ends with what to change; quotes, which a form does not have, are not blamed."""
    with pytest.raises(BadRequest) as refused:
        transcription.decode(body)
    assert refused.value.message.endswith(words)


def test_a_translation_names_what_it_ignores() -> None:
    """There is nothing to choose in it."""
    body = b'{"file":"oxlo-file:0","model":"m","language":"de"}'
    request, unknown = transcription.decode_translation(body)
    assert unknown == ("language",)
    assert [medium.source for medium in request.media()] == ["oxlo-file:0"]


@pytest.mark.parametrize(
    ("given", "code"), [("en", "en"), (" EN", "en"), ("jv", "jw"), ("e", None)]
)
def test_codes_of_languages(given: str, code: str | None) -> None:
    """ISO 639-1, as people write it."""
    assert languages.code(given) == code
