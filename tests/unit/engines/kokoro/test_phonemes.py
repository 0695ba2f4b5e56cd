"""A text in pieces: early, bounded, and nothing of it lost."""

import pytest

from oxlo.engines.kokoro.phonemes import Phonemes
from oxlo.errors import BadRequest, ContextLengthExceeded

SENTENCE = "This is one sentence of a longer text, and not the shortest one."


def phonemes(text: str, most: int | None = None) -> Phonemes:
    """Letters stand for phonemes."""
    return Phonemes(text, lambda part: part, most)


def test_the_first_sentence_is_a_piece() -> None:
    """Somebody waits for it; those after it share pieces."""
    pieces = phonemes(" ".join(["Hello there.", *[SENTENCE] * 5])).pieces
    assert pieces[0] == "Hello there."
    assert all(len(piece) <= 200 for piece in pieces)
    assert len(pieces) < 5


def test_nothing_is_lost() -> None:
    """All words, in order, over lines and long words."""
    text = f"One. {SENTENCE}\n\n{SENTENCE * 40}\n{'a' * 2500} end."
    assert "".join(" ".join(phonemes(text).pieces).split()) == "".join(text.split())


def test_a_long_first_sentence_begins_early() -> None:
    """It is cut, at a comma if there is one."""
    first, *_ = phonemes(", ".join(["and then there was this"] * 20)).pieces
    assert len(first) <= 100


def test_sounds_are_the_tokens() -> None:
    """As many as are allowed are spoken; one more is refused, with both numbers."""
    assert phonemes("a" * 40, most=40).tokens == 40
    with pytest.raises(ContextLengthExceeded) as refused:
        phonemes("a" * 41, most=40)
    assert refused.value.extra == {"counted_tokens": 41, "allowed_tokens": 40}
    assert refused.value.param == "input"


def test_a_book_is_not_read_to_be_refused() -> None:
    """Counting stops where the limit is."""
    read: list[str] = []

    def sounds_of(part: str) -> str:
        read.append(part)
        return part

    with pytest.raises(ContextLengthExceeded):
        Phonemes("word " * 20_000, sounds_of, 4096)
    assert sum(map(len, read)) < 6000


@pytest.mark.parametrize("text", ["", "\n \n", "\u200b"])
def test_nothing_to_say(text: str) -> None:
    """What makes no sound is refused."""
    with pytest.raises(BadRequest, match="nothing in it"):
        Phonemes(text, lambda part: "", None)
