"""The dialect of OpenAI and of servers that are exactly compatible.

Events are decoded but forwarded as received, except for the model's name and `usage`. JSON has no
unescaped quote inside a string, so the bytes `"model":"x"` are always a key and its value, never
part of a text.
"""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import UNSET

from oxlo.engines.dialect import Answer, Decided, EngineCall, Prompted, Translator, Usage
from oxlo.engines.dialects import bodies, chat, failures, pictures
from oxlo.engines.dialects.bodies import RequestFields
from oxlo.engines.dialects.chunks import Traits, read
from oxlo.engines.dialects.events import encoded, event
from oxlo.engines.dialects.shapes.openai import Choice, Chunk, Object, RawMessage
from oxlo.engines.dialects.stream import Stream
from oxlo.engines.dialects.tools import NO_TOOLS
from oxlo.engines.dialects.usage import parsed
from oxlo.errors import ApiError, EngineFailed
from oxlo.wire.chat import ChatRequest
from oxlo.wire.completions import CompletionRequest

CHAT_PATH: Final = "/v1/chat/completions"
COMPLETION_PATH: Final = "/v1/completions"
TRAITS: Final = Traits("upstream", separates_reasoning=False)

_CHAT: Final = RequestFields(bodies.CHAT, bodies.SAMPLERS)
_COMPLETION: Final = RequestFields(bodies.COMPLETION, bodies.SAMPLERS)
_UNSET: Final = UNSET
_chunk: Final = msgspec.json.Decoder(Chunk)
_any: Final = msgspec.json.Decoder(Object)
_encode: Final = msgspec.json.Encoder().encode


class OpenAI:
    """Chat and completions, passed through."""

    name = "openai"
    strict_context = True
    measures = False
    watched = False
    reads_openai_tokens = True

    def chat(self, request: ChatRequest, decided: Decided) -> EngineCall:
        """Build the engine's request from an allow-list."""
        body = bodies.encoded(bodies.chat(_CHAT, request, decided))
        return EngineCall(CHAT_PATH, pictures.spliced(body, decided))

    def chat_reply(self, body: bytes, request: ChatRequest, decided: Decided) -> Answer:
        """Translate a whole chat response. Raises ApiError."""
        if _has_reasoning(decided):
            return chat.reply(body, request, decided, NO_TOOLS, TRAITS)
        return _answer(body, decided)

    def chat_stream(self, request: ChatRequest, decided: Decided) -> Translator:
        """A translator for one chat stream."""
        if _has_reasoning(decided):
            return chat.ChatStream(request, decided, NO_TOOLS, TRAITS)
        return PassThrough(request.include_usage, decided)

    def completion(self, request: CompletionRequest, decided: Decided) -> EngineCall:
        """As `chat`, for the legacy endpoint."""
        return EngineCall(COMPLETION_PATH, bodies.encoded(_COMPLETION.write(request, decided)))

    def completion_reply(self, body: bytes, request: CompletionRequest, decided: Decided) -> Answer:
        """As `chat_reply`, for the legacy endpoint."""
        return _answer(body, decided)

    def completion_stream(self, request: CompletionRequest, decided: Decided) -> Translator:
        """As `chat_stream`, for the legacy endpoint."""
        return PassThrough(request.include_usage, decided)

    def count(
        self, request: Prompted, decided: Decided
    ) -> tuple[EngineCall, Callable[[bytes], int]] | None:
        """OpenAI's API cannot count tokens in advance; it rejects long prompts itself."""
        return None

    def error(self, status: int, body: bytes) -> ApiError:
        """Translate an engine's error."""
        return failures.translate(status, body)


def _has_reasoning(decided: Decided) -> bool:
    """Whether reasoning must be separated from the text, so that it cannot be passed through."""
    return "reasoning" in decided.model.abilities


def _answer(body: bytes, decided: Decided) -> Answer:
    """The response, and the usage for its receipt. Raises ApiError."""
    chunk = read(_chunk, body)
    choices, usage = chunk.choices, chunk.usage
    if not choices:
        raise EngineFailed
    shown = renamed(body, chunk.model, decided)
    for choice in choices:
        if not _is_complete(choice):
            shown = _completed(shown)
            break
    finish = choices[0].finish_reason or "stop"
    return Answer(shown, parsed(usage) if usage else Usage(), finish)


def _is_complete(choice: Choice) -> bool:
    """Whether a choice has all fields that OpenAI always sends."""
    message = choice.message
    return choice.logprobs is not _UNSET and (message is None or message.refusal is not _UNSET)


def _completed(body: bytes) -> bytes:
    """Add the missing fields that OpenAI always sends."""
    reply = _any.decode(body)
    for choice in reply["choices"]:
        choice.setdefault("logprobs", None)
        if isinstance(choice.get("message"), dict):
            choice["message"].setdefault("refusal", None)
    return _encode(reply)


def renamed(data: bytes, name: str | None, decided: Decided) -> bytes:
    """Replace `name`, the engine's name of the model, by the public one."""
    if name is None or name == decided.model.id:
        return data
    for key in (b'"model":', b'"model": '):
        before, found, after = data.partition(key + _encode(name))
        if found:
            return b"%b%b%b%b" % (before, key, _encode(decided.model.id), after)
    return _encode(_any.decode(data) | {"model": decided.model.id})


_NULL_USAGE: Final = b',"usage":null}'


class PassThrough(Stream):
    """Forwards a stream: events are decoded, but sent as received."""

    __slots__ = ("_decided", "_last", "_wants_usage")

    def __init__(self, wants_usage: bool, decided: Decided) -> None:
        super().__init__()
        self._wants_usage = wants_usage
        self._decided = decided
        #: The event with the usage.
        self._last = b""

    def _event(self, payload: bytes) -> bytes:
        chunk = read(_chunk, payload)
        for choice in chunk.choices:
            self._note(choice)
        shown_as = renamed(payload, chunk.model, self._decided)
        if chunk.usage:
            self.usage = parsed(chunk.usage)
            self._last = shown_as
            return event(self._with_usage(shown_as, reported=True)) if chunk.choices else b""
        shown = event(self._with_usage(shown_as, reported=chunk.usage is None))
        text = _text(chunk.choices)
        if text:
            self._template.learn(payload, text, shown)
        return shown

    def _note(self, choice: Choice) -> None:
        delta = choice.delta
        if choice.finish_reason:
            self.finish = choice.finish_reason
            self.started = True
        if choice.text or (delta is not None and _has_content(delta)):
            self.started = True
            self.pieces += 1

    def _with_usage(self, payload: bytes, *, reported: bool) -> bytes:
        """The event with `"usage":null` if the client asked for usage, and without it if not."""
        if reported and not payload.endswith(_NULL_USAGE):
            payload = _stripped(payload)
        elif reported:
            if self._wants_usage:
                return payload
            payload = payload[: -len(_NULL_USAGE)] + b"}"
        return payload[:-1] + _NULL_USAGE if self._wants_usage else payload

    def close(self) -> bytes:
        """The usage chunk, if requested."""
        if not self._wants_usage or not self._last:
            return b""
        last = _any.decode(self._last)
        return encoded(last | {"choices": [], "usage": last["usage"]})


def _stripped(payload: bytes) -> bytes:
    """The chunk without `usage`, however it is written."""
    chunk = _any.decode(payload)
    chunk.pop("usage", None)
    return _encode(chunk)


def _has_content(delta: RawMessage) -> bool:
    return bool(delta.content or delta.reasoning_content or delta.refusal or delta.tool_calls)


def _text(choices: list[Choice]) -> str | None:
    """The text of an event that carries nothing else."""
    if len(choices) != 1 or choices[0].finish_reason or choices[0].delta is None:
        return None
    return choices[0].delta.content
