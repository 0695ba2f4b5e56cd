"""Tokenization of a request's input items."""

from collections.abc import Sequence

from tokenizers import Tokenizer

from oxlo.engines.embedding.cl100k import Cl100k
from oxlo.errors import ContextLengthExceeded
from oxlo.wire.decode import invalid

Item = str | list[int]


class Texts:
    """The model's tokenizer, and the vocabulary of token ids that clients may send."""

    def __init__(self, tokenizer: Tokenizer, context: int, vocabulary: Cl100k | None) -> None:
        tokenizer.no_truncation()  # texts that are too long are refused
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self._context = context
        self._vocabulary = vocabulary

    def tokenize(self, items: Sequence[Item], cap: int | None) -> list[list[int]]:
        """Return the token ids of each item; `cap` is the plan's limit. Raises BadRequest."""
        texts = [self._text(item) for item in items]
        rows = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts)]
        allowed = min(self._context, cap or self._context)
        for number, row in enumerate(rows):
            if len(row) > allowed:
                raise _too_long(number, len(row), allowed)
        return rows

    def _text(self, item: Item) -> str:
        if isinstance(item, str):
            return item
        if self._vocabulary is None:
            raise invalid("input", "this model takes texts, not token ids.")
        return self._vocabulary.text(item)


def _too_long(number: int, counted: int, allowed: int) -> ContextLengthExceeded:
    return ContextLengthExceeded(
        f"Item {number} of 'input' has {counted} tokens; {allowed} are allowed here.",
        param="input",
        counted_tokens=counted,
        allowed_tokens=allowed,
    )
