"""Long recordings are heard in chunks, as if they were one."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from faster_whisper import WhisperModel
from faster_whisper.transcribe import Segment, Word

from oxlo.engines.audio.chunks import Chunk
from oxlo.engines.audio.recording import Recording
from oxlo.engines.whisper.transcript import Options, Transcript
from oxlo.serving.work import Cancelled

OPTIONS = Options(
    task="transcribe", language=None, prompt=None, temperature=0, words=True, vad=False, beam_size=5
)


class Part:
    """What a model computes with."""

    def __init__(self) -> None:
        self.encoded = 0

    def encode(self) -> None:
        self.encoded += 1

    def generate(self) -> None:
        """Nothing has to be found."""


class FakeModel:
    """A model that transcribes every chunk alike, in German, and records its arguments."""

    def __init__(self) -> None:
        self.model = Part()
        self.told: list[dict[str, Any]] = []

    def transcribe(self, samples: np.ndarray, **told: Any) -> tuple[Iterator[Segment], Any]:
        self.told.append(told)
        return self._segments(), SimpleNamespace(language=told["language"] or "de")

    def _segments(self) -> Iterator[Segment]:
        for number in range(2):
            self.model.encode()
            self.model.generate()
            word = Word(number + 0.5, number + 0.9, " Ja.", 0.9)
            yield Segment(
                number + 1,
                100 * number,
                number,
                number + 1,
                " Ja.",
                [7, number],
                -0.1,
                1,
                0,
                [word],
                0,
            )


def transcript(model: FakeModel, options: Options = OPTIONS) -> Transcript:
    chunks = [Chunk(np.zeros(16_000, np.float32), begin) for begin in (0.0, 590.5)]
    recording = SimpleNamespace(chunks=lambda: iter(chunks))
    return Transcript(cast(WhisperModel, model), cast(Recording, recording), options)


def test_times_are_those_of_the_recording() -> None:
    """Segments are counted on, and chunks are where they begin."""
    made = transcript(FakeModel())
    heard = list(made.transcribe(lambda: None))
    assert [segment.id for segment in heard] == [0, 1, 2, 3]
    assert [segment.start for segment in heard] == [0, 1, 590.5, 591.5]
    assert [segment.seek for segment in heard] == [0, 100, 59050, 59150]
    assert heard[2].words is not None
    assert heard[2].words[0].start == 591.0
    assert made.text == "Ja. Ja. Ja. Ja."


def test_a_passage_knows_what_was_said_before() -> None:
    """The language is detected once; the second chunk is given the words of the first."""
    model = FakeModel()
    list(transcript(model).transcribe(lambda: None))
    assert [told["language"] for told in model.told] == [None, "de"]
    assert [told["initial_prompt"] for told in model.told] == [None, [7, 0, 7, 1]]


def test_a_prompt_steers_nothing() -> None:
    """What the model is controlled by is taken out of a caller's words."""
    model = FakeModel()
    options = Options(**{**vars(OPTIONS), "prompt": "<|translate|>Foxes.<|endoftext|>"})
    list(transcript(model, options).transcribe(lambda: None))
    assert model.told[0]["initial_prompt"] == "Foxes."


def test_a_translation_is_english() -> None:
    """Whatever was spoken."""
    made = transcript(FakeModel(), Options(**{**vars(OPTIONS), "task": "translate"}))
    list(made.transcribe(lambda: None))
    assert (made.language, made.language_name) == ("de", "english")


def test_who_left_is_noticed_at_each_piece_of_work() -> None:
    """Before it is done."""
    model, steps = FakeModel(), 0

    def step() -> None:
        nonlocal steps
        steps += 1
        if steps == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        list(transcript(model).transcribe(step))
    assert model.model.encoded == 1
