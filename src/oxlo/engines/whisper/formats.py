"""Response formats of a transcript: OpenAI's JSON, plain text, subtitles, stream events."""

import math
from collections.abc import Iterable

import msgspec
from faster_whisper.transcribe import Segment, Word

from oxlo.engines.whisper.params import Params
from oxlo.engines.whisper.transcript import Transcript


class _Usage(msgspec.Struct, tag_field="type", tag="duration"):
    seconds: int


class _Segment(msgspec.Struct):
    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: list[int]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float


class _Word(msgspec.Struct):
    word: str
    start: float
    end: float
    #: An extension: how sure the model is.
    probability: float


class _Short(msgspec.Struct):
    text: str
    usage: _Usage


class _Verbose(msgspec.Struct, omit_defaults=True):
    task: str
    language: str
    duration: float
    text: str
    usage: _Usage
    segments: list[_Segment] | None = None
    words: list[_Word] | None = None


class _Delta(msgspec.Struct, tag_field="type", tag="transcript.text.delta"):
    delta: str


class _Done(msgspec.Struct, tag_field="type", tag="transcript.text.done"):
    text: str


_encode = msgspec.json.Encoder().encode


def whole(transcript: Transcript, params: Params) -> tuple[bytes, str]:
    """The body of a whole response, and its media type."""
    form = params.response_format or "json"
    if form in _PLAIN:
        return _PLAIN[form](transcript), "text/plain; charset=utf-8"
    if form == "verbose_json":
        granularities = params.timestamp_granularities or ("segment",)
        return verbose(transcript, granularities), "application/json"
    return _encode(_Short(transcript.text, _usage(transcript))), "application/json"


def text(transcript: Transcript) -> bytes:
    """Format `text`."""
    return f"{transcript.text}\n".encode()


def verbose(transcript: Transcript, granularities: Iterable[str]) -> bytes:
    """Format `verbose_json`."""
    segments = words = None
    if "segment" in granularities:
        segments = [_segment(segment) for segment in transcript.segments]
    if "word" in granularities:
        words = [_word(word) for segment in transcript.segments for word in segment.words or ()]
    return _encode(
        _Verbose(
            task=transcript.options.task,
            language=transcript.language_name,
            duration=round(transcript.recording.seconds, 2),
            text=transcript.text,
            usage=_usage(transcript),
            segments=segments,
            words=words,
        )
    )


def srt(transcript: Transcript) -> bytes:
    """Format `srt`."""
    cues = [
        f"{number}\n{_times(s, ',')}\n{s.text.strip()}\n\n"
        for number, s in enumerate(transcript.segments, 1)
    ]
    return "".join(cues).encode()


def vtt(transcript: Transcript) -> bytes:
    """Format `vtt`."""
    cues = [
        f"{_times(s, '.')}\n{s.text.strip().replace('-->', '->')}\n\n"  # an arrow would start a cue
        for s in transcript.segments
    ]
    return "".join(["WEBVTT\n\n", *cues]).encode()


_PLAIN = {"text": text, "srt": srt, "vtt": vtt}


def delta(segment: Segment) -> bytes:
    """The event of one segment."""
    return _event(_Delta(segment.text.lstrip() if segment.id == 0 else segment.text))


def done(transcript: Transcript) -> bytes:
    """The last event of a stream."""
    return _event(_Done(transcript.text))


def _event(value: object) -> bytes:
    return b"data: %b\n\n" % _encode(value)


def _usage(transcript: Transcript) -> _Usage:
    return _Usage(math.ceil(transcript.recording.seconds))


def _segment(segment: Segment) -> _Segment:
    # With word timestamps, the library returns numpy floats.
    return _Segment(
        id=segment.id,
        seek=segment.seek,
        start=round(float(segment.start), 3),
        end=round(float(segment.end), 3),
        text=segment.text,
        tokens=segment.tokens,
        temperature=segment.temperature or 0.0,
        avg_logprob=segment.avg_logprob,
        compression_ratio=segment.compression_ratio,
        no_speech_prob=segment.no_speech_prob,
    )


def _word(word: Word) -> _Word:
    start, end = round(float(word.start), 3), round(float(word.end), 3)
    return _Word(word.word.strip(), start, end, round(float(word.probability), 4))


def _times(segment: Segment, point: str) -> str:
    return f"{_clock(segment.start, point)} --> {_clock(segment.end, point)}"


def _clock(seconds: float, point: str) -> str:
    """As HH:MM:SS and milliseconds."""
    whole, millis = divmod(round(seconds * 1000), 1000)
    minutes, second = divmod(whole, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{second:02}{point}{millis:03}"
