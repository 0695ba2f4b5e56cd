"""Speech and transcription through the real SDK, by real models."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import openai
import pytest
from tests.contract import programs
from tests.contract.conftest import Served, serving
from tests.contract.test_node import needs_node, run_node
from tests.sounds import decoded, encoded, silence

from oxlo.snippets import Category, Language

pytestmark = pytest.mark.engine

TEXT = "The quick brown fox jumps over the lazy dog."
WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog"]
WHISPER, KOKORO = "whisper-base", "kokoro-82m"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, audio_models: Path) -> Iterator[Served]:
    """`oxlo serve` with a transcription and a speech model."""
    home = tmp_path_factory.mktemp("audio")
    with serving(home, audio_models, OXLO_MODELS=f"{WHISPER},{KOKORO}") as platform:
        yield platform


@pytest.fixture(scope="module")
def spoken(client: openai.OpenAI) -> bytes:
    """The text, said by an OpenAI voice, as MP3."""
    return client.audio.speech.create(model=KOKORO, voice="alloy", input=TEXT).read()


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def transcribe(client: openai.OpenAI, data: bytes, name: str = "a.mp3", **fields: Any) -> Any:
    return client.audio.transcriptions.create(model=WHISPER, file=(name, data), **fields)


def test_speech_is_transcribed(client: openai.OpenAI, spoken: bytes) -> None:
    """From text to speech and back."""
    assert spoken.startswith(b"ID3")
    reply = transcribe(client, spoken)
    assert words(reply.text) == WORDS
    assert reply.usage.type == "duration"
    assert 2 <= reply.usage.seconds <= 6


@pytest.mark.parametrize("kind", ["m4a", "webm", "ogg", "flac", "wav"])
def test_recording_formats(client: openai.OpenAI, spoken: bytes, kind: str) -> None:
    """Phones, browsers and programs each have their own."""
    assert words(transcribe(client, encoded(decoded(spoken), kind), f"a.{kind}").text) == WORDS


def test_word_timestamps(client: openai.OpenAI, spoken: bytes) -> None:
    """In order, inside the recording, with the segments that they are in."""
    reply = transcribe(
        client,
        spoken,
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    assert [words(word.word) for word in reply.words] == [[word] for word in WORDS]
    times = [time for word in reply.words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert 0 <= times[0] < times[-1] <= reply.duration + 0.1
    assert (reply.language, reply.segments[0].id) == ("english", 0)
    assert all(segment.avg_logprob < 0 < segment.compression_ratio for segment in reply.segments)
    assert "".join(segment.text for segment in reply.segments).strip() == reply.text


def test_text_and_subtitles(client: openai.OpenAI, spoken: bytes) -> None:
    """The same words in each."""
    plain = transcribe(client, spoken, response_format="text")
    assert words(plain) == WORDS
    srt = transcribe(client, spoken, response_format="srt", language="en")
    assert re.match(r"1\n00:00:00,\d{3} --> 00:00:0\d,\d{3}\n", srt)
    vtt = transcribe(
        client, spoken, response_format="vtt", prompt="Foxes and dogs.", temperature=0.1
    )
    assert re.match(r"WEBVTT\n\n00:00:00\.\d{3} --> ", vtt)
    assert words(vtt)[1:] == words(srt) == WORDS


def test_streamed_transcription(client: openai.OpenAI, spoken: bytes) -> None:
    """Deltas, then the whole text."""
    *deltas, done = transcribe(client, spoken, stream=True)
    assert {event.type for event in deltas} == {"transcript.text.delta"}
    assert done.type == "transcript.text.done"
    assert words(done.text) == WORDS
    assert "".join(event.delta for event in deltas) == done.text


@pytest.mark.filterwarnings("ignore:deprecated")  # by OpenAI, where whisper-1 is the last to do it
def test_other_languages(client: openai.OpenAI) -> None:
    """A French voice is detected, and put into English."""
    text = "Bonjour à tous, je m'appelle Marie."
    french = client.audio.speech.create(model=KOKORO, voice="ff_siwis", input=text).read()
    assert transcribe(client, french, response_format="verbose_json").language == "french"
    english = client.audio.translations.create(model=WHISPER, file=("a.mp3", french))
    assert {"hello", "everyone", "name"} & set(words(english.text))


@pytest.mark.parametrize(
    ("form", "kind", "magic", "codec"),
    [
        ("mp3", "audio/mpeg", b"ID3", "mp3float"),
        ("opus", "audio/ogg", b"OggS", "opus"),
        ("aac", "audio/aac", b"\xff\xf1", "aac"),
        ("flac", "audio/flac", b"fLaC", "flac"),
        ("wav", "audio/wav", b"RIFF", "pcm_s16le"),
    ],
)
def test_every_format(
    client: openai.OpenAI, tmp_path: Path, form: Any, kind: str, magic: bytes, codec: str
) -> None:
    """By its type, its first bytes and its decoder."""
    reply = client.audio.speech.create(
        model=KOKORO, voice="nova", input="Hi.", response_format=form
    )
    assert reply.response.headers["content-type"] == kind
    assert reply.content.startswith(magic)
    reply.write_to_file(tmp_path / "hi")
    with av.open(tmp_path / "hi") as container:
        assert container.streams.audio[0].codec_context.name == codec
    assert 0.3 < len(decoded(reply.content)) / 24_000 < 3


def test_pcm_and_speed(client: openai.OpenAI) -> None:
    """Half the speed is twice as long, also beyond the model's own paces."""

    def seconds(speed: float) -> float:
        reply = client.audio.speech.create(
            model=KOKORO, voice="af_bella", input="Hi there.", response_format="pcm", speed=speed
        )
        return len(reply.content) / 48_000

    quarter, usual, four = seconds(0.25), seconds(1.0), seconds(4.0)
    assert quarter > 2.5 * usual > 5 * four > 0


def test_speech_as_events(client: openai.OpenAI) -> None:
    """Base64 in deltas, and tokens at the end."""
    with client.audio.speech.with_streaming_response.create(
        model=KOKORO, voice="echo", input="One. Two.", response_format="wav", stream_format="sse"
    ) as reply:
        lines = [line for line in reply.iter_lines() if line]
    *deltas, done = [json.loads(line.removeprefix("data: ")) for line in lines]
    wav = b"".join(base64.b64decode(event["audio"]) for event in deltas)
    assert wav.startswith(b"RIFF")
    assert len(deltas) >= 2
    assert done["type"] == "speech.audio.done"
    assert done["usage"]["total_tokens"] > done["usage"]["input_tokens"] > 0


def test_bad_requests_do_not_count(served: Served, spoken: bytes) -> None:
    """More bad requests than a free account's minute allows: all get clear errors, none counts."""
    key = served.new_key("clumsy", "free")
    free = openai.OpenAI(base_url=served.base_url, api_key=key, max_retries=0)
    errors = []
    for ask, fields in bad_calls(spoken):
        with pytest.raises(openai.BadRequestError) as refused:
            getattr(free.audio, ask).create(**fields)
        errors.append(refused.value)
    assert [(error.code, error.param) for error in errors] == [
        ("invalid_value", "file"),
        ("truncated_audio", "file"),
        ("audio_too_long", "file"),
        ("invalid_value", "language"),
        ("wrong_endpoint", "model"),
        ("invalid_value", "input"),
        ("context_length_exceeded", "input"),
        ("invalid_value", "voice"),
        ("wrong_endpoint", "model"),
    ]
    assert re.search(r"lasts 120 minutes.*at most 10 minutes", errors[2].message)
    limits: Any = free.get("/limits", cast_to=dict[str, Any])
    assert limits["day"]["used"] == limits["minute"]["used"] == 0
    assert words(transcribe(free, spoken).text) == WORDS


def bad_calls(spoken: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    listen = {"model": WHISPER, "file": ("a.mp3", spoken)}
    speak = {"model": KOKORO, "voice": "alloy"}
    yield "transcriptions", listen | {"file": ("a.wav", b"This is a text. " * 99)}
    yield "transcriptions", listen | {"file": ("a.mp3", encoded(decoded(spoken), "mp3")[:9000])}
    yield "transcriptions", listen | {"file": ("a.flac", silence(minutes=120))}
    yield "transcriptions", listen | {"language": "klingon"}
    yield "transcriptions", listen | {"model": KOKORO}
    yield "speech", speak | {"input": ""}
    yield "speech", speak | {"input": "word " * 20_000}
    yield "speech", speak | {"input": "Hi.", "voice": "neutral"}
    yield "speech", speak | {"input": "Hi.", "model": WHISPER}


def test_voices(client: openai.OpenAI) -> None:
    """All of them speak; OpenAI's names are among them."""
    listed: Any = client.get("/audio/voices", cast_to=dict[str, Any])
    assert len(listed["voices"]) == 41
    assert {voice["language"] for voice in listed["data"]} >= {"en-US", "en-GB", "fr-FR"}


@needs_node
def test_node_sdk(served: Served) -> None:
    """The same from JavaScript."""
    run_node(served, "audio")


@programs.each("speech")
def test_programs_that_are_shown(
    served: Served, tmp_path: Path, category: Category, language: Language
) -> None:
    """One speaks into a file, the next hears what the file says."""
    programs.run(served, category, language, KOKORO, tmp_path)
    assert (tmp_path / "speech.mp3").read_bytes().startswith(b"ID3")
    transcript = programs.run(served, "transcription", language, WHISPER, tmp_path)
    assert "welcome to the show" in transcript.lower()
