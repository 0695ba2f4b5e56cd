"""Chat responses of engines that are almost OpenAI-compatible, made exactly so."""

from typing import Any, Final

import msgspec

from oxlo.engines.dialect import Answer, Decided, Usage
from oxlo.engines.dialects import usage as counts
from oxlo.engines.dialects.choice import ChoiceReader
from oxlo.engines.dialects.chunks import Traits, check_index, read_chunk
from oxlo.engines.dialects.events import parts
from oxlo.engines.dialects.message import Message
from oxlo.engines.dialects.reasoning import ReasoningMode, reasoning_mode
from oxlo.engines.dialects.shapes.chunks import Choice, Chunk, Logprob, Logprobs, RawMessage
from oxlo.engines.dialects.shapes.deltas import ChoiceDelta, Delta
from oxlo.engines.dialects.stream import Stream
from oxlo.engines.dialects.tools import Plan
from oxlo.errors import EngineFailed
from oxlo.wire.chat import ChatRequest

_encode: Final = msgspec.json.Encoder().encode


class ChatStream(Stream):
    """Translates an engine's chat stream to OpenAI's."""

    __slots__ = (
        "_alternatives",
        "_choices",
        "_decided",
        "_head",
        "_readers",
        "_reasoning_mode",
        "_tail",
        "_tools",
        "_traits",
        "_wants_usage",
    )

    def __init__(self, request: ChatRequest, decided: Decided, tools: Plan, traits: Traits) -> None:
        super().__init__()
        self._traits = traits
        self._tools = tools
        self._decided = decided
        self._reasoning_mode = reasoning_mode(request, decided, traits)
        self._choices = request.n
        self._alternatives = request.alternatives
        self._wants_usage = request.include_usage
        self._readers: dict[int, ChoiceReader] = {}
        #: The bytes before and after the choices of each event.
        self._head = b""
        self._tail = b'],"usage":null}\n\n' if request.include_usage else b"]}\n\n"

    def _event(self, payload: bytes) -> bytes:
        chunk = read_chunk(payload)
        if not self._head:
            self._head = self._framed(chunk)
        if chunk.usage is not None:
            self._count(counts.parsed(chunk.usage))
        events = [shown for choice in chunk.choices for shown in self._choice(choice)]
        if len(events) == len(chunk.choices) == 1 and chunk.usage is None:
            self._learn(payload, chunk.choices[0], events[0])
        return b"".join(events)

    def _learn(self, payload: bytes, choice: Choice, shown: bytes) -> None:
        """Learn the template of events that only carry text, if the choice passes text through."""
        delta = choice.delta
        plain = self._readers[choice.index].is_plain and choice.finish_reason is None
        if plain and delta is not None and delta.content:
            self._template.learn(payload, delta.content, shown)

    def _framed(self, chunk: Chunk) -> bytes:
        """The beginning of every event of this stream."""
        head = {
            "id": chunk.id,
            "object": "chat.completion.chunk",
            "created": chunk.created or self._decided.now,
            "model": self._decided.model.id,
            "system_fingerprint": self._traits.fingerprint(
                chunk.system_fingerprint, self._decided.build
            ),
        }
        return b'data: %b,"choices":[' % _encode(head)[:-1]

    def _count(self, usage: Usage) -> None:
        if self._traits.usage_per_choice:
            counts.add(self.usage, usage)
        else:
            self.usage = usage

    def _choice(self, choice: Choice) -> list[bytes]:
        """The client's events for one choice of a chunk."""
        reader = self._readers.get(choice.index)
        if reader is None:
            reader = self._begin(choice.index)
        deltas, logprobs, finish = reader.read(choice, choice.delta)
        if not deltas and not finish:
            return []
        self.started = True
        self.pieces += len(deltas)
        shown = (
            [] if reader.began else [ChoiceDelta(choice.index, _first_delta(deltas), None, None)]
        )
        reader.began = True
        for delta in deltas:
            shown.append(ChoiceDelta(choice.index, delta, logprobs, None))
            logprobs = None
        if finish:
            self.finish = finish
            shown.append(ChoiceDelta(choice.index, Delta(), logprobs, finish))
        return [b"%b%b%b" % (self._head, _encode(each), self._tail) for each in shown]

    def _begin(self, index: int) -> ChoiceReader:
        check_index(index, self._choices)
        reader = self._readers[index] = ChoiceReader(
            self._tools, self._reasoning_mode, self._alternatives
        )
        return reader

    def close(self) -> bytes:
        """The usage chunk, if requested."""
        if not self._wants_usage:
            return b""
        return b'%b],"usage":%b}\n\n' % (self._head, _encode(counts.as_dict(self.usage)))


def _first_delta(deltas: list[Delta]) -> Delta:
    """The first delta, with the role; content is null beside tool calls."""
    calls = bool(deltas) and bool(deltas[0].tool_calls)
    return Delta(role="assistant", content=None if calls else "", refusal=None)


class _WholeChoice:
    """One choice of a whole response, accumulated."""

    def __init__(self, tools: Plan, mode: ReasoningMode, alternatives: int | None) -> None:
        self._reader = ChoiceReader(tools, mode, alternatives)
        self._alternatives = alternatives
        self._message = Message()
        self._logprobs: list[Logprob] = []
        self.finish = ""

    def add(self, choice: Choice, message: RawMessage | None) -> None:
        deltas, logprobs, finish = self._reader.read(choice, message)
        for delta in deltas:
            self._message.add(delta)
        if logprobs is not None:
            self._logprobs += logprobs.content or []
        self.finish = finish or self.finish

    def as_dict(self, index: int) -> dict[str, Any]:
        return {
            "index": index,
            "message": self._message.as_dict(),
            "logprobs": None if self._alternatives is None else Logprobs(self._logprobs),
            "finish_reason": self.finish or "stop",
        }


def reply(
    body: bytes, request: ChatRequest, decided: Decided, tools: Plan, traits: Traits
) -> Answer:
    """Translate a whole response; the engine may have sent it as a stream.

    Raises ApiError; EngineFailed if there is no choice or the stream is incomplete.
    """
    chunks = [read_chunk(payload) for payload in parts(body)]
    mode = reasoning_mode(request, decided, traits)
    choices: dict[int, _WholeChoice] = {}
    total = Usage()
    for chunk in chunks:
        if chunk.usage is not None:
            counts.add(total, counts.parsed(chunk.usage))
        for choice in chunk.choices:
            check_index(choice.index, request.n)
            whole = choices.setdefault(
                choice.index, _WholeChoice(tools, mode, request.alternatives)
            )
            whole.add(choice, choice.message or choice.delta)
    if not choices:
        raise EngineFailed
    shown = _head(chunks[-1], decided, traits) | {
        "choices": [whole.as_dict(index) for index, whole in sorted(choices.items())],
        "usage": counts.as_dict(total),
    }
    return Answer(_encode(shown), total, choices[min(choices)].finish or "stop")


def _head(chunk: Chunk, decided: Decided, traits: Traits) -> dict[str, Any]:
    return {
        "id": chunk.id,
        "object": "chat.completion",
        "created": chunk.created or decided.now,
        "model": decided.model.id,
        "service_tier": "default",
        "system_fingerprint": traits.fingerprint(chunk.system_fingerprint, decided.build),
    }
