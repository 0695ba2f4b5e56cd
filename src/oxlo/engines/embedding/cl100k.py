"""cl100k_base, the vocabulary of the token ids that OpenAI's clients may send as input."""

from array import array
from base64 import b64decode
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from oxlo.wire.decode import invalid

_SPECIAL = {
    100257: b"<|endoftext|>",
    100258: b"<|fim_prefix|>",
    100259: b"<|fim_middle|>",
    100260: b"<|fim_suffix|>",
    100276: b"<|endofprompt|>",
}


class Cl100k:
    """Decoder for tiktoken's rank file, whose lines hold a token in base64 and its id."""

    def __init__(self, path: Path) -> None:
        lines = [line.split() for line in path.read_bytes().splitlines()]
        tokens = [b64decode(token) for token, _ in lines]
        if [int(rank) for _, rank in lines] != list(range(len(lines))):
            raise ValueError(f"{path} does not list its tokens in order")
        # One buffer with offsets, because 100,000 bytes objects would take ten times the memory.
        self._bytes = b"".join(tokens)
        self._ends = array("I", accumulate(map(len, tokens), initial=0))

    def text(self, ids: Sequence[int]) -> str:
        """Decode ids; invalid UTF-8 becomes U+FFFD, as in tiktoken. Raises BadRequest."""
        return b"".join(map(self._token, ids)).decode(errors="replace")

    def _token(self, number: int) -> bytes:
        if 0 <= number < len(self._ends) - 1:
            return self._bytes[self._ends[number] : self._ends[number + 1]]
        if number in _SPECIAL:
            return _SPECIAL[number]
        raise invalid("input", f"{number} is no token of cl100k_base.")
