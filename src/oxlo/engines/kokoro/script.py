"""A text as the model speaks it: sounds, in pieces of a sentence or a few."""

import re
from collections.abc import Callable, Iterator

from kokoro_onnx.chunker import split_phonemes

from oxlo.errors import ContextLengthExceeded
from oxlo.wire.decode import invalid

#: Sounds of a piece: so long that it has a melody, so short that the next is ready in time.
_LONGEST = 200
#: Of the first one, for which somebody waits.
_FIRST = 100
#: Characters that are turned into sounds at once.
_BLOCK = 1000
_SENTENCE = re.compile(r"(?<=[.!?…])\s+")
_CUT = re.compile(rf".{{1,{_BLOCK}}}(?:\s+|$)|\S{{{_BLOCK}}}", re.DOTALL)


class Script:
    """What is to be said. A token is a sound: that is what the model reads, one for each."""

    def __init__(self, text: str, sounds_of: Callable[[str], str], most: int | None = None) -> None:
        """`most` is how many tokens are allowed. Raises BadRequest."""
        #: Sounds, a string for each sentence or a part of one.
        self.pieces: tuple[str, ...] = ()
        self.tokens = 0
        sentences: list[str] = []
        for block in _blocks(text):
            sounds = " ".join(sounds_of(block).split())
            self.tokens += len(sounds)
            if most is not None and self.tokens > most:
                raise _too_long(self.tokens, most)
            sentences += _SENTENCE.split(sounds) if sounds else ()
        self.pieces = tuple(_pieces(sentences))
        if not self.pieces:
            raise invalid("input", "there is nothing in it that can be spoken.")


def _blocks(text: str) -> Iterator[str]:
    """Lines, and long ones in parts that end between words."""
    for line in filter(None, map(str.strip, text.splitlines())):
        yield from (match[0] for match in _CUT.finditer(line))


def _pieces(sentences: list[str]) -> Iterator[str]:
    """The first sentence by itself; then as many as fit together."""
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
