"""Separating reasoning (`<think>...</think>`) from an answer's text (D13).

    BEFORE   the text may still begin with `<think>`
    THINKING inside the reasoning, up to `</think>`
    AFTER    the rest is the answer

A stream may split tags anywhere. White space around the reasoning is dropped.
"""

from typing import Literal

from oxlo.engines.dialect import Decided
from oxlo.engines.dialects.chunks import Traits
from oxlo.engines.dialects.shapes.deltas import Delta
from oxlo.engines.dialects.text import TextParser
from oxlo.wire.chat import ChatRequest

#: Whether an answer has no reasoning, tagged reasoning, or begins inside it because the chat
#: template has already written the opening tag.
ReasoningMode = Literal["none", "marked", "open"]

_OPEN, _CLOSE = "<think>", "</think>"
_BEFORE, _THINKING, _AFTER = 0, 1, 2


class ReasoningParser:
    """Parses the text of one choice that may begin with reasoning, then delegates to `answer`."""

    def __init__(self, answer: TextParser, mode: ReasoningMode) -> None:
        self._answer = answer
        self._state = _THINKING if mode == "open" else _BEFORE
        self._held = ""
        #: Text of the current part was seen, so white space is significant from here on.
        self._began = False

    @property
    def is_plain(self) -> bool:
        """Whether text is passed through from here to the end."""
        return self._state == _AFTER and self._began and self._answer.is_plain

    def feed(self, text: str) -> list[Delta]:
        """Parse a piece of text into deltas of reasoning, of the answer, or both."""
        if self._state == _AFTER:
            return self._feed_answer(text)
        self._held += text
        if self._state == _BEFORE and not self._begin():
            return []
        return self._think() if self._state == _THINKING else self._leave()

    def separated(self) -> None:
        """The engine separates reasoning itself, so its text is the answer."""
        if not self._held:
            self._state, self._began = _AFTER, True

    def end(self, finish: str) -> tuple[list[Delta], str]:
        """The deltas held back, and the finish reason."""
        deltas: list[Delta] = []
        if self._state == _THINKING and self._held.strip():
            deltas.append(Delta(reasoning_content=self._held.rstrip()))
        elif self._state == _BEFORE and self._held:
            deltas += self._leave()
        last, finish = self._answer.end(finish)
        return deltas + last, finish

    def _begin(self) -> bool:
        """Decide whether the text begins with reasoning; False if it is too short to know."""
        start = self._held.lstrip()
        if len(start) < len(_OPEN) and _OPEN.startswith(start):
            return False
        if start.startswith(_OPEN):
            self._held = start[len(_OPEN) :]
            self._state = _THINKING
        else:
            self._state, self._began = _AFTER, True
        return True

    def _think(self) -> list[Delta]:
        reasoning, closed, rest = self._held.partition(_CLOSE)
        if closed:
            self._held, self._state = "", _AFTER
            reasoning = reasoning.rstrip()
        else:
            complete = reasoning[: len(reasoning) - _partial_tag(reasoning)].rstrip()
            reasoning, self._held = complete, reasoning[len(complete) :]
        if not self._began:
            reasoning = reasoning.lstrip()
        self._began = bool(reasoning) or self._began
        deltas = [Delta(reasoning_content=reasoning)] if reasoning else []
        if closed:
            self._began = False
            deltas += self._feed_answer(rest)
        return deltas

    def _leave(self) -> list[Delta]:
        """There is no reasoning: the text held back belongs to the answer."""
        held, self._held = self._held, ""
        self._state, self._began = _AFTER, True
        return self._answer.feed(held)

    def _feed_answer(self, text: str) -> list[Delta]:
        if not self._began:
            text = text.lstrip()
            self._began = bool(text)
        return self._answer.feed(text) if text else []


def reasoning_mode(request: ChatRequest, decided: Decided, traits: Traits) -> ReasoningMode:
    """How to separate reasoning in the answer to a request.

    If the chat template opens the reasoning, engines separate it themselves, except servers of
    which only OpenAI compatibility is known. A structured answer never begins inside reasoning.
    """
    if "reasoning" not in decided.model.abilities:
        return "none"
    if traits.separates_reasoning or _is_structured(request):
        return "marked"
    return decided.model.thoughts


def _is_structured(request: ChatRequest) -> bool:
    response_format = request.given.get("response_format")
    structured = response_format is not None and response_format.type != "text"
    return structured or request.offer.mode in ("required", "named")


def _partial_tag(text: str) -> int:
    """Length of the longest prefix of `</think>` at the end of the text."""
    return next((n for n in range(len(_CLOSE) - 1, 0, -1) if text.endswith(_CLOSE[:n])), 0)
