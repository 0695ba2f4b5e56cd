"""llama.cpp's chat chunks and replies, read by type and written as OpenAI's."""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from oxlo.engines.dialect import Answer, Decided, Usage
from oxlo.engines.dialects import failures
from oxlo.engines.dialects.events import DONE, Cutter, event, payloads
from oxlo.engines.dialects.openai import RawUsage
from oxlo.engines.dialects.speech import Delta, Message, Speech, speech
from oxlo.engines.dialects.tools import Plan
from oxlo.errors import ApiError, EngineFailed

Raw = msgspec.Raw


class TopLogprob(msgspec.Struct):
    """An alternative token."""

    token: str
    logprob: float
    bytes: list[int] | None = None


class Logprob(msgspec.Struct):
    """A token and its alternatives; the engine's token id is left out."""

    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[TopLogprob] = []


class Logprobs(msgspec.Struct):
    """Log probabilities of an answer."""

    content: list[Logprob] | None = None
    refusal: list[Logprob] | None = None


class _InDelta(msgspec.Struct):
    role: str | None = None
    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: Raw | UnsetType = UNSET


class _InChoice(msgspec.Struct):
    index: int = 0
    finish_reason: str | None = None
    delta: _InDelta = msgspec.field(default_factory=_InDelta)
    message: _InDelta = msgspec.field(default_factory=_InDelta)
    logprobs: Logprobs | None = None


class Chunk(msgspec.Struct):
    """A chunk of a stream, or a whole reply."""

    choices: list[_InChoice] | None = None
    id: str = ""
    created: int = 0
    system_fingerprint: str = ""
    usage: RawUsage | None = None
    error: Raw | UnsetType = UNSET


class OutChoice(msgspec.Struct):
    """One choice of a chunk, as OpenAI sends it."""

    index: int
    delta: Delta
    logprobs: Logprobs | None
    finish_reason: str | None


class OutChunk(msgspec.Struct, omit_defaults=True):
    """A chunk, as OpenAI sends it; `usage` is there when it was asked for."""

    id: str
    object: str
    created: int
    model: str
    choices: list[OutChoice]
    system_fingerprint: str
    usage: dict[str, Any] | UnsetType | None = UNSET


_chunk = msgspec.json.Decoder(Chunk)
_encode = msgspec.json.Encoder().encode
CHUNK = "chat.completion.chunk"


def read_chunk(payload: bytes) -> Chunk:
    """One chunk or reply. Raises EngineFailed when it is none, ApiError when it is an error."""
    try:
        chunk = _chunk.decode(payload)
    except msgspec.DecodeError:
        raise EngineFailed from None
    if not isinstance(chunk.error, UnsetType):
        raise failures.in_stream(payload)
    if chunk.choices is None:
        raise EngineFailed
    return chunk


def usage_shown(usage: Usage) -> dict[str, Any]:
    """Usage with all of OpenAI's details."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def add_usage(total: Usage, more: RawUsage) -> None:
    """llama.cpp tells each choice's usage apart: the prompt is one, the answers add up."""
    told = more.counted()
    total.prompt_tokens = max(total.prompt_tokens, told.prompt_tokens)
    total.cached_tokens = max(total.cached_tokens, told.cached_tokens)
    total.completion_tokens += told.completion_tokens


def fingerprint(engine: str) -> str:
    """OpenAI's spelling of what the engine calls itself."""
    return engine if engine.startswith("fp_") else f"fp_{engine or 'llamacpp'}"


class ChatStream:
    """Turns llama.cpp's chat stream into OpenAI's."""

    def __init__(self, tools: Plan, wants_usage: bool, decided: Decided) -> None:
        self.started = False
        self.done = False
        self.error: ApiError | None = None
        self.usage = Usage()
        self.finish = ""
        self._tools = tools
        self._wants_usage = wants_usage
        self._model = decided.model.id
        self._cutter = Cutter()
        self._speeches: dict[int, Speech] = {}
        self._last: Chunk | None = None

    def feed(self, data: bytes) -> bytes:
        """Translate one read."""
        return b"".join(map(self._event, payloads(self._cutter.whole(data))))

    def _event(self, payload: bytes) -> bytes:
        if self.done or self.error is not None:
            return b""
        if payload == DONE:
            self.done = True
            return b""
        try:
            chunk = read_chunk(payload)
        except ApiError as error:
            self.error = error
            return b""
        self._last = chunk
        if chunk.usage is not None:
            add_usage(self.usage, chunk.usage)
        return b"".join(self._choice(chunk, choice) for choice in chunk.choices or ())

    def _choice(self, chunk: Chunk, choice: _InChoice) -> bytes:
        out = b""
        said = self._speeches.get(choice.index)
        if said is None:
            said = self._speeches[choice.index] = speech(self._tools)
            role = Delta(role="assistant", content=None if self._tools.forced else "", refusal=None)
            out = self._written(chunk, choice.index, role)
        deltas, finish = deltas_of(choice, said, choice.delta)
        logprobs = choice.logprobs
        for delta in deltas:
            self.started = True
            out += self._written(chunk, choice.index, delta, logprobs)
            logprobs = None
        if finish:
            self.started = True
            self.finish = finish
            out += self._written(chunk, choice.index, Delta(), None, finish)
        return out

    def _written(
        self,
        chunk: Chunk,
        index: int,
        delta: Delta,
        logprobs: Logprobs | None = None,
        finish: str | None = None,
    ) -> bytes:
        return self._chunk(chunk, [OutChoice(index, delta, logprobs, finish)], None)

    def _chunk(self, chunk: Chunk, choices: list[OutChoice], usage: dict[str, Any] | None) -> bytes:
        shown = OutChunk(
            chunk.id,
            CHUNK,
            chunk.created,
            self._model,
            choices,
            fingerprint(chunk.system_fingerprint),
            usage if self._wants_usage else UNSET,
        )
        return event(_encode(shown))

    def close(self) -> bytes:
        """The usage chunk, when it was asked for."""
        if not self._wants_usage or self._last is None:
            return b""
        return self._chunk(self._last, [], usage_shown(self.usage))


def deltas_of(choice: _InChoice, said: Speech, delta: _InDelta) -> tuple[list[Delta], str]:
    """What one choice of a chunk says, and its finish reason (or nothing)."""
    deltas: list[Delta] = []
    if delta.reasoning_content:
        deltas.append(Delta(reasoning_content=delta.reasoning_content))
    if delta.content:
        deltas += said.say(delta.content)
    elif choice.logprobs is not None:
        deltas.append(Delta(content=""))
    if not isinstance(delta.tool_calls, UnsetType) and bytes(delta.tool_calls) != b"null":
        deltas.append(Delta(tool_calls=delta.tool_calls))
    if not choice.finish_reason:
        return deltas, ""
    held, finish = said.end(choice.finish_reason)
    return deltas + held, finish


class _ChoiceGathered:
    def __init__(self, tools: Plan) -> None:
        self.message = Message()
        self.logprobs: list[Logprob] = []
        self.finish = ""
        self.speech = speech(tools)

    def add(self, choice: _InChoice, delta: _InDelta) -> None:
        deltas, finish = deltas_of(choice, self.speech, delta)
        for one in deltas:
            self.message.add(one)
        if choice.logprobs is not None:
            self.logprobs += choice.logprobs.content or []
        self.finish = finish or self.finish

    def as_dict(self, index: int) -> dict[str, Any]:
        logprobs = Logprobs(self.logprobs) if self.logprobs else None
        return {
            "index": index,
            "message": self.message.as_dict(),
            "logprobs": logprobs,
            "finish_reason": self.finish or "stop",
        }


class Gathered:
    """An answer put together from one reply or from a stream."""

    def __init__(self, tools: Plan) -> None:
        self._tools = tools
        self.head = Chunk()
        self.usage = Usage()
        self.choices: dict[int, _ChoiceGathered] = {}

    def add(self, chunk: Chunk, part: Callable[[_InChoice], _InDelta]) -> None:
        """Take in a chunk; `part` is where its choices hold what is said."""
        self.head = chunk
        if chunk.usage is not None:
            add_usage(self.usage, chunk.usage)
        for choice in chunk.choices or ():
            if choice.index not in self.choices:
                self.choices[choice.index] = _ChoiceGathered(self._tools)
            self.choices[choice.index].add(choice, part(choice))


def gather_reply(body: bytes, tools: Plan) -> Gathered:
    """An answer that came whole. Raises ApiError."""
    gathered = Gathered(tools)
    gathered.add(read_chunk(body), lambda choice: choice.message)
    return gathered


def gather_stream(body: bytes, tools: Plan) -> Gathered:
    """An answer that came as a stream. Raises ApiError; EngineFailed when it was cut."""
    gathered = Gathered(tools)
    events = payloads(body.replace(b"\r", b""))
    if not events or events[-1] != DONE:
        raise EngineFailed
    for payload in events[:-1]:
        gathered.add(read_chunk(payload), lambda choice: choice.delta)
    return gathered


def reply(gathered: Gathered, decided: Decided) -> Answer:
    """The whole reply in OpenAI's shape. Raises EngineFailed when there is no choice."""
    if not gathered.choices:
        raise EngineFailed
    choices = [choice.as_dict(index) for index, choice in sorted(gathered.choices.items())]
    shown = {
        "id": gathered.head.id,
        "object": "chat.completion",
        "created": gathered.head.created or decided.now,
        "model": decided.model.id,
        "choices": choices,
        "usage": usage_shown(gathered.usage),
        "service_tier": "default",
        "system_fingerprint": fingerprint(gathered.head.system_fingerprint),
    }
    return Answer(_encode(shown), gathered.usage, choices[0]["finish_reason"])
