"""Reading one choice incrementally: text, reasoning, tool calls, log probabilities."""

from oxlo.engines.dialects.chunks import finish_of
from oxlo.engines.dialects.reasoning import ReasoningMode, ReasoningParser
from oxlo.engines.dialects.shapes.chunks import Call, Choice, Logprob, Logprobs, RawMessage
from oxlo.engines.dialects.shapes.deltas import CallDelta, Delta, FunctionDelta
from oxlo.engines.dialects.text import (
    ForcedCalls,
    OptionalCalls,
    PlainText,
    TextParser,
    first_piece,
)
from oxlo.engines.dialects.tools import Plan


def parser(tools: Plan, mode: ReasoningMode) -> TextParser:
    """The parser for the text of one choice."""
    answer = _answer(tools)
    return answer if mode == "none" else ReasoningParser(answer, mode)


def _answer(tools: Plan) -> TextParser:
    if tools.forced:
        return ForcedCalls("stop" if tools.mode == "named" else "tool_calls")
    return OptionalCalls(tools) if tools.mode == "auto" else PlainText()


class ChoiceReader:
    """Turns the engine's deltas of one choice into the client's."""

    __slots__ = ("_alternatives", "_calls", "_held", "_parser", "began")

    def __init__(self, tools: Plan, mode: ReasoningMode, alternatives: int | None) -> None:
        self._parser = parser(tools, mode)
        #: `top_logprobs` to keep: engines may report more than requested.
        self._alternatives = alternatives or 0
        #: Whether a delta was sent.
        self.began = False
        #: Indices of tool calls that the engine has parsed itself.
        self._calls: set[int] = set()
        #: Log probabilities of text that is held back.
        self._held: list[Logprob] = []

    @property
    def is_plain(self) -> bool:
        """Whether text is passed through from here to the end."""
        return self._parser.is_plain

    def read(
        self, choice: Choice, message: RawMessage | None
    ) -> tuple[list[Delta], Logprobs | None, str]:
        """The deltas of one chunk, their log probabilities, and the finish reason or ""."""
        deltas = [] if message is None else self._deltas(message)
        finish = ""
        if choice.finish_reason:
            held, finish = self._parser.end(finish_of(choice.finish_reason))
            deltas += held
        if choice.logprobs is not None and choice.logprobs.content:
            for token in choice.logprobs.content:
                del token.top_logprobs[self._alternatives :]
            self._held += choice.logprobs.content
        return deltas, self._logprobs(deltas, finish), finish

    def _logprobs(self, deltas: list[Delta], finish: str) -> Logprobs | None:
        """Log probabilities to send now, if there is an event to carry them."""
        if not self._held or not (deltas or finish):
            return None
        held, self._held = self._held, []
        return Logprobs(held)

    def _deltas(self, message: RawMessage) -> list[Delta]:
        deltas: list[Delta] = []
        reasoning = message.reasoning_content or message.reasoning
        if reasoning:
            deltas.append(Delta(reasoning_content=reasoning))
            if isinstance(self._parser, ReasoningParser):
                self._parser.separated()
        if message.content:
            deltas += self._parser.feed(message.content)
        if message.refusal:
            deltas.append(Delta(refusal=message.refusal))
        if message.tool_calls:
            calls = [self._call(place, call) for place, call in enumerate(message.tool_calls)]
            deltas.append(Delta(tool_calls=calls))
        return deltas

    def _call(self, place: int, call: Call) -> CallDelta:
        """A piece of a tool call that the engine has parsed itself."""
        index = place if call.index is None else call.index
        function = call.function
        name = function.name if function is not None else None
        arguments = (function.arguments if function is not None else None) or ""
        if index in self._calls:
            return CallDelta(index=index, function=FunctionDelta(arguments=arguments))
        self._calls.add(index)
        return first_piece(index, call.id, name or "", arguments)
