"""Text to phonemes, in pieces of one or a few sentences."""

import re
from collections.abc import Callable, Iterator

from kokoro_onnx.chunker import split_phonemes

from oxlo.errors import ContextLengthExceeded
from oxlo.wire.decode import invalid

#: Phonemes of a piece: enough for natural intonation, few enough to keep ahead of playback.
_LONGEST = 200
#: Phonemes of the first piece, which decides the time to first audio.
_FIRST = 100
#: Characters that are phonemized at once.
_BLOCK = 1000
_SENTENCE = re.compile(r"(?<=[.!?…])\s+")
_CUT = re.compile(rf".{{1,{_BLOCK}}}(?:\s+|$)|\S{{{_BLOCK}}}", re.DOTALL)


class Phonemes:
    """The phonemes of a text. One phoneme is one token of the model."""

    def __init__(self, text: str, phonemize: Callable[[str], str], most: int | None = None) -> None:
        """`most` is the limit in tokens. Raises BadRequest."""
        #: One string for each sentence, a part of one, or a few.
        self.pieces: tuple[str, ...] = ()
        self.tokens = 0
        sentences: list[str] = []
        for block in _blocks(text):
            phonemes = " ".join(phonemize(block).split())
            self.tokens += len(phonemes)
            if most is not None and self.tokens > most:
                raise _too_long(self.tokens, most)
            sentences += _SENTENCE.split(phonemes) if phonemes else ()
        self.pieces = tuple(_pieces(sentences))
        if not self.pieces:
            raise invalid("input", "there is nothing in it that can be spoken.")


def _blocks(text: str) -> Iterator[str]:
    """Lines; long ones are split between words."""
    for line in filter(None, map(str.strip, text.splitlines())):
        yield from (match[0] for match in _CUT.finditer(line))


def _pieces(sentences: list[str]) -> Iterator[str]:
    """The first sentence alone, then as many together as fit."""
    yield from split_phonemes(sentences[0] if sentences else "", _FIRST)
    held = ""
    for sentence in sentences[1:]:
        if len(held) + len(sentence) < _LONGEST:
            held = f"{held} {sentence}"
        else:
            yield from split_phonemes(held, _LONGEST)
            held = sentence
    yield from split_phonemes(held, _LONGEST)


def _too_long(counted: int, allowed: int) -> ContextLengthExceeded:
    return ContextLengthExceeded(
        f"The text has {counted} tokens or more; {allowed} are allowed here. A token is a sound, "
        "about as long as a letter. Send the text in parts.",
        param="input",
        counted_tokens=counted,
        allowed_tokens=allowed,
    )
