"""What calls to a model have taken lately: from that, the work of the next one is predicted.

Work is counted in tokens of prompt. An answered token takes an engine's slot as long as many of
those do; how many is learnt from the streams that were answered. How long an answer will be is
learnt too, for each account: what callers allow says little about it.
"""

from typing import Final

#: Weight of the newest observation.
_NEWEST: Final = 0.1
#: Before anything is known: tokens of an answer, and prompt tokens that are worth one of them.
_ANSWER: Final = 128.0
_RATIO: Final = 16.0
_LEAST_RATIO: Final = 1.0
_MOST_RATIO: Final = 500.0
#: Accounts that are remembered.
_REMEMBERED: Final = 1024
#: Bytes of text in a token, about.
TOKEN_BYTES: Final = 4


class Pace:
    """The figures of one model."""

    __slots__ = ("_answers", "_read", "_reading", "_writing", "_written", "answer")

    def __init__(self) -> None:
        #: Tokens of an answer, on average.
        self.answer = _ANSWER
        self._answers: dict[str, float] = {}
        #: Tokens and seconds: of prompts that were read, of answers that were written.
        self._read = self._reading = self._written = self._writing = 0.0

    @property
    def ratio(self) -> float:
        """Prompt tokens that are read in the time in which one is answered."""
        if not (self._written and self._reading):
            return _RATIO
        ratio = (self._writing / self._written) / (self._reading / self._read)
        return min(_MOST_RATIO, max(_LEAST_RATIO, ratio))

    def predict(self, account: str, most: int) -> float:
        """The work of an answer of at most `most` tokens, in tokens of prompt."""
        return min(float(most), self._answers.get(account, self.answer)) * self.ratio

    def answered(self, account: str, tokens: int) -> None:
        """An answer had so many tokens."""
        answers = self._answers
        self.answer += (tokens - self.answer) * _NEWEST
        before = answers.pop(account, self.answer)
        answers[account] = before + (tokens - before) * _NEWEST
        if len(answers) > _REMEMBERED:
            del answers[next(iter(answers))]

    def timed(self, read: int, reading: float, written: int, writing: float) -> None:
        """A stream took so many seconds for so many tokens of its prompt, and of its answer."""
        if read > 0 and reading > 0 and written > 1 and writing > 0:
            keep = 1 - _NEWEST
            self._read = self._read * keep + read
            self._reading = self._reading * keep + reading
            self._written = self._written * keep + written - 1  # the first came with the reading
            self._writing = self._writing * keep + writing
