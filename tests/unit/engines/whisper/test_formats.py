"""Transcripts as they are sent."""

import io

import msgspec
import pytest
from faster_whisper import WhisperModel
from faster_whisper.transcribe import Segment, Word
from tests.sounds import encoded, tone

from oxlo.engines.audio.recording import Recording
from oxlo.engines.whisper import formats
from oxlo.engines.whisper.params import Params
from oxlo.engines.whisper.transcript import Options, Transcript

#: What OpenAI's specification asks of each segment.
FIELDS = {
    "id", "seek", "start", "end", "text", "tokens", "temperature", "avg_logprob",
    "compression_ratio", "no_speech_prob",
}  # fmt: skip


def segment(number: int, text: str, start: float, end: float) -> Segment:
    word = Word(start, end, text, 0.9)
    return Segment(number, 0, start, end, text, [1, 2], -0.2, 1.1, 0.01, [word], 0.0)


@pytest.fixture
def transcript() -> Transcript:
    """Two sentences, one of them late in a long recording."""
    recording = Recording(io.BytesIO(encoded(tone(2.5), "wav")), None)
    options = Options(
        task="transcribe",
        language=None,
        prompt=None,
        temperature=0,
        words=True,
        vad=False,
        beam_size=5,
    )
    made = Transcript(WhisperModel.__new__(WhisperModel), recording, options, "de")
    made.segments = [segment(0, " Eins --> zwei.", 0, 1.5), segment(1, " Drei.", 3723.0061, 3725)]
    return made


def reply(transcript: Transcript, **fields: object) -> tuple[bytes, str]:
    return formats.whole(transcript, msgspec.convert(fields, Params))


def test_json(transcript: Transcript) -> None:
    """The text, and the seconds that OpenAI would bill."""
    body, kind = reply(transcript)
    assert kind == "application/json"
    assert msgspec.json.decode(body) == {
        "text": "Eins --> zwei. Drei.", "usage": {"type": "duration", "seconds": 3},
    }  # fmt: skip


def test_text(transcript: Transcript) -> None:
    """Nothing but the text."""
    assert reply(transcript, response_format="text") == (
        b"Eins --> zwei. Drei.\n",
        "text/plain; charset=utf-8",
    )


def test_srt(transcript: Transcript) -> None:
    """Numbered, with commas in the times."""
    body, _ = reply(transcript, response_format="srt")
    assert body.decode() == (
        "1\n00:00:00,000 --> 00:00:01,500\nEins --> zwei.\n\n"
        "2\n01:02:03,006 --> 01:02:05,000\nDrei.\n\n"
    )


def test_vtt(transcript: Transcript) -> None:
    """With points; what would begin another cue is written otherwise."""
    body, _ = reply(transcript, response_format="vtt")
    assert body.decode() == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nEins -> zwei.\n\n"
        "01:02:03.006 --> 01:02:05.000\nDrei.\n\n"
    )


@pytest.mark.parametrize(
    ("granularities", "there"),
    [
        (None, {"segments"}),
        (["segment"], {"segments"}),
        (["word"], {"words"}),
        (["word", "segment"], {"words", "segments"}),
    ],
)
def test_verbose_json(transcript: Transcript, granularities: object, there: set[str]) -> None:
    """Segments, words or both, as they were params for."""
    body, _ = reply(
        transcript, response_format="verbose_json", timestamp_granularities=granularities
    )
    told = msgspec.json.decode(body)
    assert {"segments", "words"} & told.keys() == there
    assert (told["language"], told["duration"], told["task"]) == ("german", 2.5, "transcribe")
    assert all(set(found) == FIELDS for found in told.get("segments", ()))
    assert [found["word"] for found in told.get("words", ())] in ([], ["Eins --> zwei.", "Drei."])


def test_events(transcript: Transcript) -> None:
    """Deltas joined are the text of the last event."""
    events = [formats.delta(s) for s in transcript.segments] + [formats.done(transcript)]
    told = [msgspec.json.decode(event.removeprefix(b"data: ")) for event in events]
    assert [event["type"] for event in told] == [
        "transcript.text.delta", "transcript.text.delta", "transcript.text.done",
    ]  # fmt: skip
    assert "".join(event.get("delta", "") for event in told) == told[-1]["text"]
