"""What is heard in a recording, sentence by sentence."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from faster_whisper import WhisperModel
from faster_whisper.transcribe import Segment

from oxlo.engines.audio.passages import Passage
from oxlo.engines.audio.recording import Recording
from oxlo.engines.whisper.model import watched
from oxlo.wire import languages

#: Tried one after the other where the text repeats or is unlikely, as OpenAI's own program does.
_TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
#: What steers the model inside a prompt; a caller's text may not.
_CONTROL = re.compile(r"<\|.*?\|>")
#: Tokens of what was said that go before the next passage.
_REMEMBERED = 223
#: Frames of features in a second: `seek` counts them.
_FRAMES = 100


@dataclass(frozen=True, kw_only=True)
class Wish:
    """How a recording is to be heard."""

    task: str
    language: str | None
    prompt: str | None
    temperature: float
    words: bool
    vad: bool
    beam_size: int


@dataclass
class Transcript:
    """The segments of one recording, as they are heard; `language` is known after the first."""

    model: WhisperModel
    recording: Recording
    wish: Wish
    language: str = ""
    segments: list[Segment] = field(default_factory=list)

    def hear(self, step: Callable[[], None]) -> Iterator[Segment]:
        """Each segment, with the times of the whole recording. Raises BadRequest."""
        model = watched(self.model, step)
        self.language = self.wish.language or ""
        for passage in self.recording.passages():
            for segment in self._passage(model, passage):
                step()
                self.segments.append(segment)
                yield segment

    def _passage(self, model: WhisperModel, passage: Passage) -> Iterator[Segment]:
        wish = self.wish
        heard, info = model.transcribe(
            passage.samples,
            task=wish.task,
            language=self.language or None,
            beam_size=wish.beam_size,
            temperature=wish.temperature or _TEMPERATURES,
            initial_prompt=self._before(),
            word_timestamps=wish.words,
            vad_filter=wish.vad,
        )
        self.language = info.language
        for segment in heard:
            yield self._placed(segment, passage.begin)

    def _before(self) -> str | list[int] | None:
        """What the model is told was said before: the caller's words, then its own."""
        if not self.segments:
            return _CONTROL.sub("", self.wish.prompt or "") or None
        tokens = [token for segment in self.segments[-50:] for token in segment.tokens]
        return tokens[-_REMEMBERED:]

    def _placed(self, segment: Segment, begin: float) -> Segment:
        """The same with the times of the recording, and counted from 0."""
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
        """All that was said."""
        return "".join(segment.text for segment in self.segments).strip()

    @property
    def language_name(self) -> str:
        """The language of the text, as OpenAI spells it."""
        code = "en" if self.wish.task == "translate" else self.language
        return languages.LANGUAGES.get(code, code)
