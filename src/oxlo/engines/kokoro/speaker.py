"""A loaded Kokoro model and its voices."""

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from kokoro_onnx import Kokoro

from oxlo.engines.audio.tempo import Tempo
from oxlo.engines.kokoro.config import Config, Voice
from oxlo.engines.kokoro.script import Script
from oxlo.engines.sessions import session
from oxlo.serving.process import CannotLoad
from oxlo.wire.decode import invalid

#: Samples a second that the model makes.
RATE = 24_000
#: The model's own paces; beyond them it swallows words, and its sound is stretched instead.
_PACES = (0.5, 2.0)
#: A voice: a style for each length of a piece, in sounds.
_SHAPE = (510, 1, 256)
#: Seconds of silence after a piece that ends so.
_PAUSES = {".": 0.3, "!": 0.3, "?": 0.3, "…": 0.3, ",": 0.1, ";": 0.1, ":": 0.1}


class Speaker:
    """Says pieces of sounds."""

    def __init__(self, config: Config) -> None:
        """Load everything. Raises CannotLoad."""
        logging.getLogger("phonemizer").setLevel(logging.ERROR)
        graph = session(Path(config.model), config.threads, config.device)
        with tempfile.NamedTemporaryFile(suffix=".npz") as empty:
            # The library wants a file of voices; ours are given to it call by call.
            np.savez(empty)
            empty.flush()
            self._kokoro = Kokoro.from_session(graph, empty.name)
        self._voices = {voice.id: voice for voice in config.voices}
        self._styles = {voice.id: _style(voice) for voice in config.voices}
        self._default = config.voices[0].id

    def script(self, text: str, name: str | None, most: int | None) -> Script:
        """The text in sounds, as this voice pronounces it. Raises BadRequest."""
        language = self._voice(name).language
        return Script(text, lambda part: self._kokoro.tokenizer.phonemize(part, language), most)

    def say(self, script: Script, name: str | None, speed: float) -> Iterator[np.ndarray]:
        """Samples, piece by piece."""
        least, most = _PACES
        pace = min(max(speed, least), most)
        style = self._styles[self._voice(name).id]
        spoken = (self._piece(piece, style, pace) for piece in script.pieces)
        if pace == speed:
            yield from spoken
            return
        tempo = Tempo(speed / pace, RATE)
        for samples in map(tempo.add, spoken):
            if len(samples):
                yield samples
        yield tempo.rest()

    def _piece(self, sounds: str, style: np.ndarray, pace: float) -> np.ndarray:
        samples, _ = self._kokoro.create(sounds, style, pace, is_phonemes=True)
        pause = _PAUSES.get(sounds[-1:], 0.0) / pace
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
        found = np.fromfile(voice.path, "<f4", size, offset=offset)
        return found.reshape(_SHAPE)
    except (OSError, ValueError) as error:
        raise CannotLoad(f"the voice {voice.id} is not in {voice.path}: {error}") from None
