"""One choice of an answer as it comes: its text, and what the engine has told apart already."""

from oxlo.engines.dialects.chunks import finish_of
from oxlo.engines.dialects.shapes.chunks import Call, Choice, Logprob, Logprobs, Said
from oxlo.engines.dialects.shapes.deltas import CallDelta, Delta, FunctionDelta
from oxlo.engines.dialects.speech import Forced, Free, Plain, Speech, begun
from oxlo.engines.dialects.thoughts import Thinking, Thoughtful
from oxlo.engines.dialects.tools import Plan


def speech(tools: Plan, thinking: Thinking) -> Speech:
    """The speech of one choice of an answer to a request with these tools."""
    answer = _answer(tools)
    return answer if thinking == "none" else Thoughtful(answer, thinking)


def _answer(tools: Plan) -> Speech:
    if tools.forced:
        return Forced("stop" if tools.mode == "named" else "tool_calls")
    return Free(tools) if tools.mode == "auto" else Plain()


class Voice:
    """One choice of an answer as it comes: what its pieces add to the client's message."""

    __slots__ = ("_alternatives", "_calls", "_held", "_speech", "began")

    def __init__(self, tools: Plan, thinking: Thinking, alternatives: int | None) -> None:
        self._speech = speech(tools, thinking)
        #: Told beside each token: engines may tell more than were asked for.
        self._alternatives = alternatives or 0
        #: Something was said.
        self.began = False
        #: Calls that the engine made out by itself.
        self._calls: set[int] = set()
        #: Log probabilities of text that is held back.
        self._held: list[Logprob] = []

    @property
    def is_plain(self) -> bool:
        """Whether text is passed on as it comes, from here to the end."""
        return self._speech.is_plain

    def hear(self, choice: Choice, said: Said | None) -> tuple[list[Delta], Logprobs | None, str]:
        """What a piece adds, its log probabilities, and the finish reason (or nothing)."""
        deltas = [] if said is None else self._say(said)
        finish = ""
        if choice.finish_reason:
            held, finish = self._speech.end(finish_of(choice.finish_reason))
            deltas += held
        if choice.logprobs is not None and choice.logprobs.content:
            for token in choice.logprobs.content:
                del token.top_logprobs[self._alternatives :]
            self._held += choice.logprobs.content
        return deltas, self._logprobs(deltas, finish), finish

    def _logprobs(self, deltas: list[Delta], finish: str) -> Logprobs | None:
        """Those of the text that leaves now; they need an event to travel in."""
        if not self._held or not (deltas or finish):
            return None
        held, self._held = self._held, []
        return Logprobs(held)

    def _say(self, said: Said) -> list[Delta]:
        deltas: list[Delta] = []
        thoughts = said.reasoning_content or said.reasoning
        if thoughts:
            deltas.append(Delta(reasoning_content=thoughts))
            if isinstance(self._speech, Thoughtful):
                self._speech.told_apart()
        if said.content:
            deltas += self._speech.say(said.content)
        if said.refusal:
            deltas.append(Delta(refusal=said.refusal))
        if said.tool_calls:
            calls = [self._call(place, call) for place, call in enumerate(said.tool_calls)]
            deltas.append(Delta(tool_calls=calls))
        return deltas

    def _call(self, place: int, call: Call) -> CallDelta:
        """A piece of a call that the engine made out by itself."""
        index = place if call.index is None else call.index
        function = call.function
        name = function.name if function is not None else None
        arguments = (function.arguments if function is not None else None) or ""
        if index in self._calls:
            return CallDelta(index=index, function=FunctionDelta(arguments=arguments))
        self._calls.add(index)
        return begun(index, call.id, name or "", arguments)
