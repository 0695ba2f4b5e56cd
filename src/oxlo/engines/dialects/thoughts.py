"""Thoughts that stand in an answer's text, told apart from it (D13).

    BEFORE   the text may still begin with `<think>`
    THINKING up to `</think>`
    AFTER    all else is the answer

Tags may be cut anywhere by the pieces of a stream. White space around thoughts and between them and
the answer belongs to neither.
"""

from typing import Literal

from oxlo.engines.dialect import Decided
from oxlo.engines.dialects.chunks import Ways
from oxlo.engines.dialects.shapes.deltas import Delta
from oxlo.engines.dialects.speech import Speech
from oxlo.wire.chat import ChatRequest

#: How an answer is read: it has no thoughts, has them marked, or begins with them (the template
#: has written the first tag already).
Thinking = Literal["none", "marked", "open"]

_OPEN, _CLOSE = "<think>", "</think>"
_BEFORE, _THINKING, _AFTER = 0, 1, 2


class Thoughtful:
    """The text of one choice that may begin with thoughts; the answer is another speech's."""

    def __init__(self, answer: Speech, thinking: Thinking) -> None:
        self._answer = answer
        self._state = _THINKING if thinking == "open" else _BEFORE
        self._held = ""
        #: Something of the thoughts, or of the answer, was said: white space counts from there on.
        self._began = False

    @property
    def is_plain(self) -> bool:
        """Whether text is passed on as it comes, from here to the end."""
        return self._state == _AFTER and self._began and self._answer.is_plain

    def say(self, text: str) -> list[Delta]:
        """What a piece of the model's text adds: to the thoughts, to the answer, or to both."""
        if self._state == _AFTER:
            return self._say(text)
        self._held += text
        if self._state == _BEFORE and not self._begin():
            return []
        return self._think() if self._state == _THINKING else self._leave()

    def told_apart(self) -> None:
        """The engine tells thoughts apart by itself: its text is the answer."""
        if not self._held:
            self._state, self._began = _AFTER, True

    def end(self, finish: str) -> tuple[list[Delta], str]:
        """What was held back, and OpenAI's finish reason for the engine's."""
        deltas: list[Delta] = []
        if self._state == _THINKING and self._held.strip():
            deltas.append(Delta(reasoning_content=self._held.rstrip()))
        elif self._state == _BEFORE and self._held:
            deltas += self._leave()
        last, finish = self._answer.end(finish)
        return deltas + last, finish

    def _begin(self) -> bool:
        """Whether it is known by now how the text begins."""
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
        thoughts, closed, rest = self._held.partition(_CLOSE)
        if closed:
            self._held, self._state = "", _AFTER
            thoughts = thoughts.rstrip()
        else:
            whole = thoughts[: len(thoughts) - _cut(thoughts)].rstrip()
            thoughts, self._held = whole, thoughts[len(whole) :]
        if not self._began:
            thoughts = thoughts.lstrip()
        self._began = bool(thoughts) or self._began
        deltas = [Delta(reasoning_content=thoughts)] if thoughts else []
        if closed:
            self._began = False
            deltas += self._say(rest)
        return deltas

    def _leave(self) -> list[Delta]:
        """There are no thoughts: what was held back is the answer's."""
        held, self._held = self._held, ""
        self._state, self._began = _AFTER, True
        return self._answer.say(held)

    def _say(self, text: str) -> list[Delta]:
        if not self._began:
            text = text.lstrip()
            self._began = bool(text)
        return self._answer.say(text) if text else []


def thinking(request: ChatRequest, decided: Decided, ways: Ways) -> Thinking:
    """How the answer to a request is read.

    Engines that begin a thought in the model's template tell it apart themselves, but for those
    that are only known to speak like OpenAI; and an answer with a form begins with no thought.
    """
    if "reasoning" not in decided.model.abilities:
        return "none"
    if ways.tells_thoughts or _has_form(request):
        return "marked"
    return decided.model.thoughts


def _has_form(request: ChatRequest) -> bool:
    form = request.given.get("response_format")
    return (form is not None and form.type != "text") or request.offer.mode in ("required", "named")


def _cut(text: str) -> int:
    """Length of the beginning of `</think>` that the text ends with."""
    return next((n for n in range(len(_CLOSE) - 1, 0, -1) if text.endswith(_CLOSE[:n])), 0)
