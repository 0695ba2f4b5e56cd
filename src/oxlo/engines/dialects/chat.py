"""Chats of engines that speak almost as OpenAI does, written as OpenAI's, field for field."""

from typing import Any, Final

import msgspec

from oxlo.engines.dialect import Answer, Decided, Usage
from oxlo.engines.dialects import usage as counts
from oxlo.engines.dialects.chunks import Ways, check_index, read_chunk
from oxlo.engines.dialects.events import parts
from oxlo.engines.dialects.message import Message
from oxlo.engines.dialects.shapes.chunks import Choice, Chunk, Logprob, Logprobs, Said
from oxlo.engines.dialects.shapes.deltas import ChoiceDelta, Delta
from oxlo.engines.dialects.stream import Stream
from oxlo.engines.dialects.thoughts import Thinking, thinking
from oxlo.engines.dialects.tools import Plan
from oxlo.engines.dialects.voice import Voice
from oxlo.errors import EngineFailed
from oxlo.wire.chat import ChatRequest

_encode: Final = msgspec.json.Encoder().encode


class ChatStream(Stream):
    """Turns an engine's chat stream into OpenAI's."""

    __slots__ = (
        "_alternatives",
        "_choices",
        "_decided",
        "_head",
        "_tail",
        "_thinking",
        "_tools",
        "_voices",
        "_wants_usage",
        "_ways",
    )

    def __init__(self, request: ChatRequest, decided: Decided, tools: Plan, ways: Ways) -> None:
        super().__init__()
        self._ways = ways
        self._tools = tools
        self._decided = decided
        self._thinking = thinking(request, decided, ways)
        self._choices = request.n
        self._alternatives = request.alternatives
        self._wants_usage = request.include_usage
        self._voices: dict[int, Voice] = {}
        #: What stands before and after the choices of each event.
        self._head = b""
        self._tail = b'],"usage":null}\n\n' if request.include_usage else b"]}\n\n"

    def _event(self, payload: bytes) -> bytes:
        chunk = read_chunk(payload)
        if not self._head:
            self._head = self._framed(chunk)
        if chunk.usage is not None:
            self._count(counts.counted(chunk.usage))
        events = [shown for choice in chunk.choices for shown in self._choice(choice)]
        if len(events) == len(chunk.choices) == 1 and chunk.usage is None:
            self._make_mould(payload, chunk.choices[0], events[0])
        return b"".join(events)

    def _make_mould(self, payload: bytes, choice: Choice, shown: bytes) -> None:
        """An event that is words, of an answer whose words are passed on as they come."""
        said = choice.delta
        plain = self._voices[choice.index].is_plain and choice.finish_reason is None
        if plain and said is not None and said.content:
            self._mould.make(payload, said.content, shown)

    def _framed(self, chunk: Chunk) -> bytes:
        """The start of every event: all of a stream's have the same."""
        head = {
            "id": chunk.id,
            "object": "chat.completion.chunk",
            "created": chunk.created or self._decided.now,
            "model": self._decided.model.id,
            "system_fingerprint": self._ways.fingerprint(
                chunk.system_fingerprint, self._decided.build
            ),
        }
        return b'data: %b,"choices":[' % _encode(head)[:-1]

    def _count(self, told: Usage) -> None:
        if self._ways.usage_per_choice:
            counts.add(self.usage, told)
        else:
            self.usage = told

    def _choice(self, choice: Choice) -> list[bytes]:
        """The client's events for one choice of a chunk."""
        voice = self._voices.get(choice.index)
        if voice is None:
            voice = self._begin(choice.index)
        deltas, logprobs, finish = voice.hear(choice, choice.delta)
        if not deltas and not finish:
            return []
        self.started = True
        self.pieces += len(deltas)
        shown = [] if voice.began else [ChoiceDelta(choice.index, _first(deltas), None, None)]
        voice.began = True
        for delta in deltas:
            shown.append(ChoiceDelta(choice.index, delta, logprobs, None))
            logprobs = None
        if finish:
            self.finish = finish
            shown.append(ChoiceDelta(choice.index, Delta(), logprobs, finish))
        return [b"%b%b%b" % (self._head, _encode(each), self._tail) for each in shown]

    def _begin(self, index: int) -> Voice:
        check_index(index, self._choices)
        voice = self._voices[index] = Voice(self._tools, self._thinking, self._alternatives)
        return voice

    def close(self) -> bytes:
        """The usage chunk, when it was asked for."""
        if not self._wants_usage:
            return b""
        return b'%b],"usage":%b}\n\n' % (self._head, _encode(counts.shown(self.usage)))


def _first(deltas: list[Delta]) -> Delta:
    """The event with the role; beside tool calls, content is null."""
    calls = bool(deltas) and bool(deltas[0].tool_calls)
    return Delta(role="assistant", content=None if calls else "", refusal=None)


class _Whole:
    """One choice put together."""

    def __init__(self, tools: Plan, thinks: Thinking, alternatives: int | None) -> None:
        self._voice = Voice(tools, thinks, alternatives)
        self._alternatives = alternatives
        self._message = Message()
        self._logprobs: list[Logprob] = []
        self.finish = ""

    def add(self, choice: Choice, said: Said | None) -> None:
        deltas, logprobs, finish = self._voice.hear(choice, said)
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


def reply(body: bytes, request: ChatRequest, decided: Decided, tools: Plan, ways: Ways) -> Answer:
    """The whole reply in OpenAI's shape; an engine may have sent it as a stream.

    Raises ApiError; EngineFailed when there is no choice or the stream was cut.
    """
    chunks = [read_chunk(payload) for payload in parts(body)]
    thinks = thinking(request, decided, ways)
    choices: dict[int, _Whole] = {}
    total = Usage()
    for chunk in chunks:
        if chunk.usage is not None:
            counts.add(total, counts.counted(chunk.usage))
        for choice in chunk.choices:
            check_index(choice.index, request.n)
            whole = choices.setdefault(choice.index, _Whole(tools, thinks, request.alternatives))
            whole.add(choice, choice.message or choice.delta)
    if not choices:
        raise EngineFailed
    shown = _head(chunks[-1], decided, ways) | {
        "choices": [whole.as_dict(index) for index, whole in sorted(choices.items())],
        "usage": counts.shown(total),
    }
    return Answer(_encode(shown), total, choices[min(choices)].finish or "stop")


def _head(chunk: Chunk, decided: Decided, ways: Ways) -> dict[str, Any]:
    return {
        "id": chunk.id,
        "object": "chat.completion",
        "created": chunk.created or decided.now,
        "model": decided.model.id,
        "service_tier": "default",
        "system_fingerprint": ways.fingerprint(chunk.system_fingerprint, decided.build),
    }
