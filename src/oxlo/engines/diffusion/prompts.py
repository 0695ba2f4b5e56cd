"""Counting a prompt's tokens, and finding where the model truncates it."""

import copy
import threading
from typing import Any, NamedTuple

#: Names of the components that are tokenizers.
TOKENIZERS = ("tokenizer", "tokenizer_2", "tokenizer_3")


class PromptTokens(NamedTuple):
    """A prompt as the model reads it."""

    tokens: int
    #: The part that the model reads, if it truncates the prompt.
    truncated: str | None


class PromptCounter:
    """Counts with the tokenizer that takes the longest prompt: a pipeline may have several."""

    def __init__(self, pipeline: Any, longest: int | None) -> None:
        """`longest` is the pipeline's own limit, in tokens."""
        known = (pipeline.components.get(name) for name in TOKENIZERS)
        longest_reader = max(filter(None, known), key=lambda each: each.model_max_length)
        # A copy, because tokenizers are not thread-safe and the pipeline uses its own.
        self._tokenizer = copy.deepcopy(longest_reader)
        self._lock = threading.Lock()
        self._most = min(self._tokenizer.model_max_length, longest or 1 << 30)

    def count(self, prompt: str) -> PromptTokens:
        """The number of tokens, and the truncated prompt if it is too long."""
        with self._lock:
            tokens = len(self._tokenizer(prompt, truncation=False).input_ids)
            return PromptTokens(tokens, self._truncated(prompt) if tokens > self._most else None)

    def _truncated(self, prompt: str) -> str:
        kept = self._tokenizer(
            prompt, truncation=True, max_length=self._most, return_offsets_mapping=True
        )
        return prompt[: max(end for _, end in kept.offset_mapping)]
