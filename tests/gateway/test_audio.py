"""Audio through the gateway, with a double behind it."""

import asyncio

import pytest
from tests.gateway.conftest import Platform, Start, StartMedia

from oxlo.ledger.records import Settled
from oxlo.testing.engine import Canned

SPEECH = "/v1/audio/speech"
HEARD = "/v1/audio/transcriptions"
FORM = {"content-type": "multipart/form-data; boundary=b"}
#: An audio reply's first bytes, and its rest.
MP3 = (b"ID3\x04" + b"\0" * 96, b"\xff\xfb" * 50)


async def speaking(start: Start, reply: Canned, **settings: float) -> Platform:
    platform = await start(**settings)
    platform.engine.canned[SPEECH] = reply
    platform.replicas(platform.engine, model="kokoro-82m", dialect="oxlo")
    return platform


def asked(**fields: object) -> dict[str, object]:
    return {"model": "kokoro-82m", "input": "Hi.", "voice": "alloy"} | fields


async def test_audio_is_sent_as_it_comes(start: Start) -> None:
    """The first bytes are there before the engine has made the last ones; then it counts."""
    platform = await speaking(start, Canned(kind="audio/mpeg", pieces=MP3, gate="go"))
    client = platform.client()
    await client.send("POST", SPEECH, asked())
    head = await client.head()
    assert (head.status, head.headers["content-type"]) == (200, "audio/mpeg")
    assert (await client.reader.readuntil(b"\0" * 96))[-100:] == MP3[0]
    assert [r for r in platform.records() if isinstance(r, Settled)] == []
    platform.engine.gates["go"].set()
    assert (await client.reader.read()).endswith(b"0\r\n\r\n")
    settled = platform.record(Settled, head.headers["x-request-id"])
    assert (settled.endpoint, settled.counted, settled.outcome) == ("speech", True, "answered")


async def test_an_engine_of_ours_may_be_silent(start: Start) -> None:
    """The fleet sees it move: an hour's recording has no first byte for minutes."""
    reply = Canned(kind="audio/mpeg", pieces=MP3[:1], gate="go")
    platform = await speaking(start, reply, engine_timeout=0.0)
    client = platform.client()
    await client.send("POST", SPEECH, asked())
    await platform.engine.until(lambda e: len(e.calls) == 1)
    platform.gateway.sweep()
    platform.engine.gates["go"].set()
    assert (await client.answer()).status == 200


async def test_an_engine_that_dies_in_the_middle(start: Start) -> None:
    """The connection is cut, so that half a file never looks whole; it does not count."""
    platform = await speaking(start, Canned(kind="audio/mpeg", pieces=(*MP3, b""), cut=True))
    client = platform.client()
    await client.send("POST", SPEECH, asked())
    head = await client.head()
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await client.reader.readuntil(b"0\r\n\r\n")
    settled = platform.record(Settled, head.headers["x-request-id"])
    assert (settled.outcome, settled.counted) == ("failed", False)


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        (None, "audio/mpeg"),
        ("opus", "audio/ogg"),
        ("aac", "audio/aac"),
        ("flac", "audio/flac"),
        ("wav", "audio/wav"),
        ("pcm", "audio/pcm"),
    ],
)
async def test_each_format_has_its_type(start: Start, form: str | None, kind: str) -> None:
    """Each format has its content type, whatever type the engine sends."""
    platform = await speaking(start, Canned(kind="application/octet-stream", pieces=MP3))
    answer = await platform.call("POST", SPEECH, asked(response_format=form))
    assert answer.headers["content-type"] == kind
    assert answer.body == b"".join(MP3)


async def test_a_refusal_keeps_its_status(start: Start) -> None:
    """The engine counts the text, and what it says about that reaches the caller."""
    error = {"message": "The text has 9 tokens.", "code": "context_length_exceeded"}
    platform = await speaking(start, Canned.json({"error": error}, status=400))
    answer = await platform.call("POST", SPEECH, asked(), key=platform.control.mint("free"))
    assert (answer.status, answer.code) == (400, "context_length_exceeded")
    assert platform.engine.calls[0].json()["max_input_tokens"] == 2048
    assert not platform.record(Settled, answer.headers["x-request-id"]).counted


async def test_audio_as_events(start: Start) -> None:
    """The last one comes after the receipt, which has its tokens."""
    delta = b'data: {"type":"speech.audio.delta","audio":"AAAA"}\n\n'
    usage = b'{"input_tokens":3,"output_tokens":40,"total_tokens":43}'
    done = b'data: {"type":"speech.audio.done","usage":%b}\n\n' % usage
    platform = await speaking(start, Canned(kind="text/event-stream", pieces=(delta, done)))
    answer = await platform.call("POST", SPEECH, asked(stream_format="sse"))
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.body == delta + done
    settled = platform.record(Settled, answer.headers["x-request-id"])
    assert (settled.tokens_in, settled.tokens_out, settled.counted) == (3, 40, True)


async def test_voices_cost_nothing(start: Start) -> None:
    """They are listed without any engine, with OpenAI's names."""
    platform = await start()
    answer = await platform.call("GET", "/v1/audio/voices?model=kokoro")
    listed = answer.json()
    heart = next(voice for voice in listed["data"] if voice["id"] == "af_heart")
    assert (heart["language"], heart["gender"], heart["model"]) == ("en-US", "female", "kokoro-82m")
    assert listed["voices"] == [voice["id"] for voice in listed["data"]]
    aliases = {name for voice in listed["data"] for name in voice["aliases"]}
    assert aliases >= {"alloy", "ash", "ballad", "coral", "echo", "fable", "onyx", "nova", "sage"}
    assert not any(isinstance(record, Settled) for record in platform.records())


async def test_voices_of_an_unknown_model(start: Start) -> None:
    """404, as anywhere."""
    platform = await start()
    answer = await platform.call("GET", "/v1/audio/voices?model=nobody")
    assert (answer.status, answer.code) == (404, "model_not_found")


def recording(**fields: str) -> bytes:
    """A form with a sound in it."""
    parts = {"model": "listener", **fields}
    body = b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    body += b"RIFF\0\0\0\0WAVEsound"
    for name, value in parts.items():
        head = f'\r\n--b\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}'
        body += head.encode()
    return body + b"\r\n--b--\r\n"


async def listening(
    start: Start, start_media: StartMedia, reply: Canned, path: str = HEARD
) -> Platform:
    platform = await start()
    await start_media(platform)
    platform.engine.canned[path] = reply
    platform.replicas(platform.engine, model="listener", dialect="oxlo")
    return platform


async def test_a_recording_arrives_intact(start: Start, start_media: StartMedia) -> None:
    """The engine gets a form with the file, the fields, and the plan's length."""
    platform = await listening(start, start_media, Canned.json({"text": "Hi."}))
    form = recording(language="de", temperature="0.5")
    answer = await platform.call("POST", HEARD, form, FORM, key=platform.control.mint("free"))
    assert answer.json() == {"text": "Hi."}
    sent = platform.engine.calls[0].body
    assert b"RIFF\0\0\0\0WAVEsound\r\n" in sent
    assert b'name="max_audio_seconds"\r\n\r\n600\r\n' in sent
    assert b'name="language"\r\n\r\nde\r\n' in sent
    settled = platform.record(Settled, answer.headers["x-request-id"])
    assert (settled.endpoint, settled.counted) == ("transcriptions", True)


async def test_text_stays_text(start: Start, start_media: StartMedia) -> None:
    """Subtitles are no JSON."""
    reply = Canned(kind="text/plain", pieces=(b"1\n00:00:00,000 --> 00:00:01,000\nHi.\n",))
    platform = await listening(start, start_media, reply, "/v1/audio/translations")
    form = recording(response_format="srt")
    answer = await platform.call("POST", "/v1/audio/translations", form, FORM)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.body == reply.pieces[0]


async def test_text_as_events(start: Start, start_media: StartMedia) -> None:
    """As OpenAI sends them, without a `[DONE]`."""
    delta = b'data: {"type":"transcript.text.delta","delta":"Hi."}\n\n'
    done = b'data: {"type":"transcript.text.done","text":"Hi."}\n\n'
    reply = Canned(kind="text/event-stream", pieces=(delta, done))
    platform = await listening(start, start_media, reply)
    answer = await platform.call("POST", HEARD, recording(stream="true"), FORM)
    assert answer.body == delta + done
    assert b'name="stream"\r\n\r\ntrue\r\n' in platform.engine.calls[0].body


async def test_a_refused_recording_does_not_count(start: Start, start_media: StartMedia) -> None:
    """The engine's words are the caller's to read."""
    error = {"message": "It lasts 2 hours.", "code": "audio_too_long", "param": "file"}
    platform = await listening(start, start_media, Canned.json({"error": error}, status=400))
    answer = await platform.call("POST", HEARD, recording(), FORM)
    assert (answer.status, answer.code) == (400, "audio_too_long")
    assert not platform.record(Settled, answer.headers["x-request-id"]).counted
