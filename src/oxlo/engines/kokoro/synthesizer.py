"""Synthesising speech with a Kokoro model."""

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from kokoro_onnx import Kokoro

from oxlo.engines.audio.tempo import Tempo
from oxlo.engines.kokoro.config import Config, Voice
from oxlo.engines.kokoro.phonemes import Phonemes
from oxlo.engines.sessions import session
from oxlo.serving.process import CannotLoad
from oxlo.wire.decode import invalid

#: Sample rate of the model, Hz.
RATE = 24_000
#: Speeds that the model itself renders well; beyond them the audio is stretched instead.
_SPEEDS = (0.5, 2.0)
#: A voice: one style vector for each length of a piece, in phonemes.
_SHAPE = (510, 1, 256)
#: Seconds of silence after a piece, by its last character.
_PAUSES = {".": 0.3, "!": 0.3, "?": 0.3, "…": 0.3, ",": 0.1, ";": 0.1, ":": 0.1}


class Synthesizer:
    """A loaded model and its voices."""

    def __init__(self, config: Config) -> None:
        """Load the model and all voices. Raises CannotLoad."""
        logging.getLogger("phonemizer").setLevel(logging.ERROR)
        graph = session(Path(config.model), config.threads, config.device)
        with tempfile.NamedTemporaryFile(suffix=".npz") as empty:
            # The library insists on a voices file; ours are passed with each call instead.
            np.savez(empty)
            empty.flush()
            self._kokoro = Kokoro.from_session(graph, empty.name)
        self._voices = {voice.id: voice for voice in config.voices}
        self._styles = {voice.id: _style(voice) for voice in config.voices}
        self._default = config.voices[0].id

    def phonemes(self, text: str, name: str | None, most: int | None) -> Phonemes:
        """The phonemes of a text in the voice's language. Raises BadRequest."""
        language = self._voice(name).language
        return Phonemes(text, lambda part: self._kokoro.tokenizer.phonemize(part, language), most)

    def synthesize(
        self, phonemes: Phonemes, name: str | None, speed: float
    ) -> Iterator[np.ndarray]:
        """Mono float32 samples, piece by piece."""
        least, most = _SPEEDS
        own_speed = min(max(speed, least), most)
        style = self._styles[self._voice(name).id]
        pieces = (self._piece(piece, style, own_speed) for piece in phonemes.pieces)
        if own_speed == speed:
            yield from pieces
            return
        tempo = Tempo(speed / own_speed, RATE)
        for samples in map(tempo.add, pieces):
            if len(samples):
                yield samples
        yield tempo.finish()

    def _piece(self, phonemes: str, style: np.ndarray, speed: float) -> np.ndarray:
        samples, _ = self._kokoro.create(phonemes, style, speed, is_phonemes=True)
        pause = _PAUSES.get(phonemes[-1:], 0.0) / speed
        return np.concatenate([samples, np.zeros(int(pause * RATE))]).astype(np.float32)

    def _voice(self, name: str | None) -> Voice:
        voice = self._voices.get(name or self._default)
        if voice is None:
            raise invalid("voice", f"expected one of {', '.join(sorted(self._voices))}.")
        return voice


def _style(voice: Voice) -> np.ndarray:
    size = int(np.prod(_SHAPE))
    offset = voice.index * size * 4
    try:
        values = np.fromfile(voice.path, "<f4", size, offset=offset)
        return values.reshape(_SHAPE)
    except (OSError, ValueError) as error:
        raise CannotLoad(f"the voice {voice.id} is not in {voice.path}: {error}") from None
