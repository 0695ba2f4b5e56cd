"""Predicting the work of a request from recent ones to the same model.

The unit of work is one prompt token. A completion token occupies a slot as long as many prompt
tokens; the ratio is learned from streams. The length of an answer is learned for each account,
because `max_tokens` says little about it.
"""

from typing import Final

#: Weight of the newest observation (exponential moving average).
_NEWEST: Final = 0.1
#: Initial values: tokens of an answer, and prompt tokens per completion token.
_ANSWER: Final = 128.0
_RATIO: Final = 16.0
_LEAST_RATIO: Final = 1.0
_MOST_RATIO: Final = 500.0
#: Number of accounts to remember.
_REMEMBERED: Final = 1024
#: Approximate bytes of text per token.
TOKEN_BYTES: Final = 4


class Pace:
    """The averages of one model."""

    __slots__ = ("_answers", "_read", "_reading", "_writing", "_written", "answer")

    def __init__(self) -> None:
        #: Mean tokens of an answer.
        self.answer = _ANSWER
        self._answers: dict[str, float] = {}
        #: Decayed sums of prompt tokens and their seconds, completion tokens and their seconds.
        self._read = self._reading = self._written = self._writing = 0.0

    @property
    def ratio(self) -> float:
        """Prompt tokens that are processed in the time of one completion token."""
        if not (self._written and self._reading):
            return _RATIO
        ratio = (self._writing / self._written) / (self._reading / self._read)
        return min(_MOST_RATIO, max(_LEAST_RATIO, ratio))

    def predict(self, account: str, most: int) -> float:
        """Predicted work of an answer of at most `most` tokens, in prompt tokens."""
        return min(float(most), self._answers.get(account, self.answer)) * self.ratio

    def answered(self, account: str, tokens: int) -> None:
        """Record the length of an answer."""
        answers = self._answers
        self.answer += (tokens - self.answer) * _NEWEST
        before = answers.pop(account, self.answer)
        answers[account] = before + (tokens - before) * _NEWEST
        if len(answers) > _REMEMBERED:
            del answers[next(iter(answers))]

    def timed(self, read: int, reading: float, written: int, writing: float) -> None:
        """Record a stream: prompt tokens and their seconds, completion tokens and theirs."""
        if read > 0 and reading > 0 and written > 1 and writing > 0:
            keep = 1 - _NEWEST
            self._read = self._read * keep + read
            self._reading = self._reading * keep + reading
            self._written = (
                self._written * keep + written - 1
            )  # the first token belongs to the prompt phase
            self._writing = self._writing * keep + writing
