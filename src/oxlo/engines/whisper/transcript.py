"""Transcribing one recording, segment by segment."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from faster_whisper import WhisperModel
from faster_whisper.transcribe import Segment

from oxlo.engines.audio.chunks import Chunk
from oxlo.engines.audio.recording import Recording
from oxlo.engines.whisper.model import observed
from oxlo.wire import languages

#: Tried in turn if the text is repetitive or unlikely, as in OpenAI's implementation.
_TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
#: Whisper's control tokens, removed from the client's prompt.
_CONTROL = re.compile(r"<\|.*?\|>")
#: Tokens of the previous text that condition the next chunk.
_CONTEXT = 223
#: Unit of `seek`: mel frames per second.
_FRAMES = 100


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of one transcription."""

    task: str
    language: str | None
    prompt: str | None
    temperature: float
    words: bool
    vad: bool
    beam_size: int


@dataclass
class Transcript:
    """The segments of one recording so far; `language` is known after the first."""

    model: WhisperModel
    recording: Recording
    options: Options
    language: str = ""
    segments: list[Segment] = field(default_factory=list)

    def transcribe(self, step: Callable[[], None]) -> Iterator[Segment]:
        """Yield each segment, with times relative to the whole recording. Raises BadRequest."""
        model = observed(self.model, step)
        self.language = self.options.language or ""
        for chunk in self.recording.chunks():
            for segment in self._chunk(model, chunk):
                step()
                self.segments.append(segment)
                yield segment

    def _chunk(self, model: WhisperModel, chunk: Chunk) -> Iterator[Segment]:
        options = self.options
        segments, info = model.transcribe(
            chunk.samples,
            task=options.task,
            language=self.language or None,
            beam_size=options.beam_size,
            temperature=options.temperature or _TEMPERATURES,
            initial_prompt=self._context(),
            word_timestamps=options.words,
            vad_filter=options.vad,
        )
        self.language = info.language
        for segment in segments:
            yield self._shifted(segment, chunk.begin)

    def _context(self) -> str | list[int] | None:
        """Previous text for the decoder: the client's prompt, then what was transcribed last."""
        if not self.segments:
            return _CONTROL.sub("", self.options.prompt or "") or None
        tokens = [token for segment in self.segments[-50:] for token in segment.tokens]
        return tokens[-_CONTEXT:]

    def _shifted(self, segment: Segment, begin: float) -> Segment:
        """The segment with its id and times relative to the whole recording."""
        words = segment.words and [
            replace(word, start=word.start + begin, end=word.end + begin) for word in segment.words
        ]
        return replace(
            segment,
            id=len(self.segments),
            seek=segment.seek + round(begin * _FRAMES),
            start=segment.start + begin,
            end=segment.end + begin,
            words=words,
        )

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(segment.text for segment in self.segments).strip()

    @property
    def language_name(self) -> str:
        """The language of the text, by OpenAI's name."""
        code = "en" if self.options.task == "translate" else self.language
        return languages.LANGUAGES.get(code, code)
