"""How much of a prompt a model reads."""

import copy
import threading
from typing import Any, NamedTuple

#: Where pipelines keep them.
TOKENIZERS = ("tokenizer", "tokenizer_2", "tokenizer_3")


class Read(NamedTuple):
    """A prompt as a model reads it."""

    tokens: int
    #: The part that is read, when the prompt is longer than that.
    cut: str | None


class Reader:
    """Counts with the tokenizer that reads furthest: a pipeline may have several."""

    def __init__(self, pipeline: Any, longest: int | None) -> None:
        """`longest` is what the pipeline itself stops at, in tokens."""
        known = (pipeline.components.get(name) for name in TOKENIZERS)
        furthest = max(filter(None, known), key=lambda one: one.model_max_length)
        # Tokenizers hold their settings while they work: one for each thread that uses one.
        self._tokenizer = copy.deepcopy(furthest)
        self._lock = threading.Lock()
        self._most = min(self._tokenizer.model_max_length, longest or 1 << 30)

    def read(self, prompt: str) -> Read:
        """Its tokens, and what is left of it."""
        with self._lock:
            tokens = len(self._tokenizer(prompt, truncation=False).input_ids)
            return Read(tokens, self._cut(prompt) if tokens > self._most else None)

    def _cut(self, prompt: str) -> str:
        kept = self._tokenizer(
            prompt, truncation=True, max_length=self._most, return_offsets_mapping=True
        )
        return prompt[: max(end for _, end in kept.offset_mapping)]
