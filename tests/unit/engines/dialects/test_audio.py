"""Audio in and out: what engines are sent, and what becomes of their replies."""

import msgspec
import pytest

from oxlo import catalogue
from oxlo.engines.dialect import Decided
from oxlo.engines.dialects import synthesis, transcription
from oxlo.engines.dialects.raw import Bytes
from oxlo.engines.dialects.typed import TypedEvents
from oxlo.engines.parts import FilePart, Parts
from oxlo.errors import EngineFailed
from oxlo.wire import speech
from oxlo.wire.media import File
from oxlo.wire.transcription import TranscriptionRequest, TranslationRequest

RECORDING = File(path="/spool/1", size=9, type="audio/mpeg", name='a "b".mp3')


def decided(model: str, *files: File, **caps: int) -> Decided:
    known = catalogue.load().resolve(model)
    return Decided(known, "its-name", 0, 0, 0, files=files, **caps)


def said(**fields: object) -> dict[str, object]:
    """The body that a speech engine is sent."""
    request, _ = speech.decode(msgspec.json.encode({"input": "Hi.", "model": "kokoro"} | fields))
    call = synthesis.call(request, decided("kokoro-82m", max_input_tokens=99))
    assert isinstance(call.body, bytes)
    found: dict[str, object] = msgspec.json.decode(call.body)
    return found


def form_of(request: TranslationRequest, path: str = transcription.TRANSCRIPTIONS) -> Parts:
    body = transcription.call(path, request, decided("whisper-base", RECORDING)).body
    assert isinstance(body, Parts)
    return body


def text_of(parts: Parts) -> str:
    return b"".join(p if isinstance(p, bytes) else b"<file>" for p in parts.pieces).decode()


def test_the_catalogue_s_defaults_are_applied() -> None:
    """What `/parameters` publishes is what an engine is told."""
    assert said() == {
        "model": "its-name", "input": "Hi.", "voice": "af_heart", "response_format": "mp3",
        "speed": 1.0, "max_input_tokens": 99,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("voice", "sent"),
    [
        ("alloy", "af_alloy"),
        ("ash", "am_michael"),
        ("bf_emma", "bf_emma"),
        ({"id": "nova"}, "af_nova"),
    ],
)
def test_voices_by_openai_s_names(voice: object, sent: str) -> None:
    """Engines know their own names only."""
    assert said(voice=voice)["voice"] == sent


def test_only_what_is_known_is_sent() -> None:
    """Whatever else a caller writes stays here."""
    sent = said(instructions="Whisper.", stream_format="sse", id_slot=3)
    assert (sent["instructions"], sent["stream_format"]) == ("Whisper.", "sse")
    assert "id_slot" not in sent


def test_a_transcription_is_a_form() -> None:
    """Fields as OpenAI has them, and the file as it lies on disk."""
    parts = form_of(
        TranscriptionRequest(
            file="oxlo-file:0",
            language="de",
            response_format="verbose_json",
            timestamp_granularities=["word", "segment"],
            temperature=0.5,
        )
    )
    text = text_of(parts)
    for line in ('"language"\r\n\r\nde\r\n', '"temperature"\r\n\r\n0.5\r\n', "its-name"):
        assert line in text
    assert text.count('"timestamp_granularities[]"') == 2
    assert 'filename="a %22b%22.mp3"\r\ncontent-type: audio/mpeg\r\n\r\n<file>' in text
    assert FilePart("/spool/1", 9) in parts.pieces
    assert "max_audio_seconds" not in text
    assert "stream" not in text


def test_a_translation_has_no_language() -> None:
    """It is into English."""
    parts = form_of(
        TranslationRequest(file="oxlo-file:0", prompt="Hm."), transcription.TRANSLATIONS
    )
    assert '"prompt"\r\n\r\nHm.\r\n' in text_of(parts)
    assert "language" not in text_of(parts)


@pytest.mark.parametrize(
    ("form", "body", "head"),
    [
        (None, b'{"text":"Hi."}', b"application/json"),
        ("verbose_json", b'{"text":"Hi.","segments":[]}', b"application/json"),
        ("text", b"Hi.\n", b"text/plain"),
        ("srt", b"1\n", b"text/plain"),
        ("vtt", b"WEBVTT\n", b"text/plain"),
    ],
)
def test_replies_keep_their_type(form: str | None, body: bytes, head: bytes) -> None:
    """JSON is JSON, and text is text."""
    request = msgspec.convert({"file": "x", "response_format": form}, TranslationRequest)
    answer = transcription.reply(body, request, decided("whisper-base"))
    assert answer.body == body
    assert head in answer.head


def test_json_without_a_text_is_a_failure() -> None:
    """An engine that says nothing has not answered."""
    with pytest.raises(EngineFailed):
        transcription.reply(b"{}", TranslationRequest(file="x"), decided("whisper-base"))


def test_raw_bytes_are_passed_on() -> None:
    """The first ones are the start; the end of the reply is the end."""
    raw = Bytes(b"content-type: audio/mpeg\r\n")
    assert (raw.feed(b""), raw.started) == (b"", False)
    assert (raw.feed(b"ID3"), raw.started) == (b"ID3", True)
    assert raw.ended()
    assert (raw.close(), raw.ending, raw.finish) == (b"", b"", "stop")


def test_no_bytes_are_no_reply() -> None:
    """Silence would have a header."""
    assert not Bytes(b"").ended()


def test_the_last_event_waits_for_the_receipt() -> None:
    """Deltas pass as they came, wherever reads cut them."""
    events = TypedEvents("speech.audio.done")
    delta = b'data: {"type":"speech.audio.delta","audio":"AAAA"}\n\n'
    done = b'data: {"type":"speech.audio.done","usage":{"input_tokens":3,"output_tokens":40}}\n\n'
    told = b"".join(events.feed(part) for part in (delta[:9], delta[9:] + done[:5], done[5:]))
    assert told == delta
    assert events.started
    assert events.done
    assert events.close() == done
    assert (events.usage.prompt_tokens, events.usage.completion_tokens) == (3, 40)


def test_a_stream_without_its_last_event() -> None:
    """Is cut off."""
    events = TypedEvents("transcript.text.done")
    events.feed(b'data: {"type":"transcript.text.delta","delta":"Hi"}\n\n')
    assert not events.ended()


def test_an_error_in_a_stream() -> None:
    """Nothing after it is sent."""
    events = TypedEvents("transcript.text.done")
    assert events.feed(b'data: {"error":{"message":"no"}}\n\n') == b""
    assert events.error is not None
