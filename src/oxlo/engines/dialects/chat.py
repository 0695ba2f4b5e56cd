"""Chats of engines that speak almost as OpenAI does, written as OpenAI's, field for field."""

from typing import Any

import msgspec

from oxlo.engines.dialect import Answer, Decided, Usage
from oxlo.engines.dialects import usage as counts
from oxlo.engines.dialects.chunks import (
    Choice,
    Chunk,
    Logprob,
    Logprobs,
    Said,
    Ways,
    check_index,
    read_chunk,
)
from oxlo.engines.dialects.events import DONE, Cutter, parts
from oxlo.engines.dialects.speech import Delta, Message, Voice
from oxlo.engines.dialects.tools import Plan
from oxlo.errors import ApiError, EngineFailed
from oxlo.wire.chat import ChatRequest

_encode = msgspec.json.Encoder().encode


class _Choice(msgspec.Struct):
    index: int
    delta: Delta
    logprobs: Logprobs | None
    finish_reason: str | None


class ChatStream:
    """Turns an engine's chat stream into OpenAI's."""

    __slots__ = (
        "_choices",
        "_cutter",
        "_decided",
        "_head",
        "_tail",
        "_tools",
        "_voices",
        "_wants_usage",
        "_ways",
        "done",
        "error",
        "finish",
        "started",
        "usage",
    )

    def __init__(self, request: ChatRequest, decided: Decided, tools: Plan, ways: Ways) -> None:
        self.started = False
        self.done = False
        self.error: ApiError | None = None
        self.usage = Usage()
        self.finish = ""
        self._ways = ways
        self._tools = tools
        self._decided = decided
        self._choices = request.n or 1
        self._wants_usage = request.include_usage
        self._cutter = Cutter()
        self._voices: dict[int, Voice] = {}
        #: What stands before and after the choices of each event.
        self._head = b""
        self._tail = b'],"usage":null}\n\n' if request.include_usage else b"]}\n\n"

    def feed(self, data: bytes) -> bytes:
        """Translate one read."""
        out = []
        try:
            for payload in self._cutter.cut(data):
                if self.done or self.error is not None:
                    break
                out.append(self._event(payload))
        except ApiError as error:
            self.error = error
        return b"".join(out)

    def _event(self, payload: bytes) -> bytes:
        if payload == DONE:
            if not self.started:
                raise EngineFailed
            self.done = True
            return b""
        chunk = read_chunk(payload)
        if not self._head:
            self._head = self._framed(chunk)
        if chunk.usage is not None:
            self._count(chunk.usage.counted())
        choices = chunk.choices
        if len(choices) == 1:
            return self._choice(choices[0])
        return b"".join(map(self._choice, choices))

    def _framed(self, chunk: Chunk) -> bytes:
        """The start of every event: all of a stream's have the same."""
        head = {
            "id": chunk.id,
            "object": "chat.completion.chunk",
            "created": chunk.created or self._decided.now,
            "model": self._decided.model.id,
            "system_fingerprint": self._ways.fingerprint(chunk.system_fingerprint),
        }
        return b'data: %b,"choices":[' % _encode(head)[:-1]

    def _count(self, told: Usage) -> None:
        if self._ways.usage_per_choice:
            counts.add(self.usage, told)
        else:
            self.usage = told

    def _choice(self, choice: Choice) -> bytes:
        voice = self._voices.get(choice.index)
        if voice is None:
            voice = self._begin(choice.index)
        said = choice.delta
        if said is not None and voice.is_plain and voice.began and _is_text(choice, said):
            return self._text(choice.index, said.content)
        deltas, logprobs, finish = voice.hear(choice, said)
        return self._written(choice.index, voice, deltas, logprobs, finish)

    def _begin(self, index: int) -> Voice:
        check_index(index, self._choices)
        voice = self._voices[index] = Voice(self._tools)
        return voice

    def _text(self, index: int, text: str | None) -> bytes:
        """What nearly all events are; the same as `_written` makes, for a third of its time."""
        return b'%b{"index":%d,"delta":{"content":%b},"logprobs":null,"finish_reason":null}%b' % (
            self._head, index, _encode(text), self._tail,
        )  # fmt: skip

    def _written(
        self, index: int, voice: Voice, deltas: list[Delta], logprobs: Logprobs | None, finish: str
    ) -> bytes:
        if not deltas and not finish:
            return b""
        self.started = True
        events = [] if voice.began else [_Choice(index, _first(deltas), None, None)]
        voice.began = True
        for delta in deltas:
            events.append(_Choice(index, delta, logprobs, None))
            logprobs = None
        if finish:
            self.finish = finish
            events.append(_Choice(index, Delta(), logprobs, finish))
        return b"".join(b"%b%b%b" % (self._head, _encode(e), self._tail) for e in events)

    def close(self) -> bytes:
        """The usage chunk, when it was asked for."""
        if not self._wants_usage:
            return b""
        return b'%b],"usage":%b}\n\n' % (self._head, _encode(counts.shown(self.usage)))


def _is_text(choice: Choice, said: Said) -> bool:
    """Whether a piece is words and nothing else."""
    return (
        bool(said.content)
        and choice.finish_reason is None
        and choice.logprobs is None
        and said.tool_calls is None
        and not said.reasoning_content
        and not said.reasoning
        and not said.refusal
    )


def _first(deltas: list[Delta]) -> Delta:
    """The event with the role; beside tool calls, content is null."""
    calls = bool(deltas) and bool(deltas[0].tool_calls)
    return Delta(role="assistant", content=None if calls else "", refusal=None)


class _Whole:
    """One choice put together."""

    def __init__(self, tools: Plan) -> None:
        self._voice = Voice(tools)
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
            "logprobs": Logprobs(self._logprobs) if self._logprobs else None,
            "finish_reason": self.finish or "stop",
        }


def reply(body: bytes, request: ChatRequest, decided: Decided, tools: Plan, ways: Ways) -> Answer:
    """The whole reply in OpenAI's shape; an engine may have sent it as a stream.

    Raises ApiError; EngineFailed when there is no choice or the stream was cut.
    """
    chunks = [read_chunk(payload) for payload in parts(body)]
    choices: dict[int, _Whole] = {}
    total = Usage()
    for chunk in chunks:
        if chunk.usage is not None:
            counts.add(total, chunk.usage.counted())
        for choice in chunk.choices:
            check_index(choice.index, request.n or 1)
            whole = choices.setdefault(choice.index, _Whole(tools))
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
        "system_fingerprint": ways.fingerprint(chunk.system_fingerprint),
    }
