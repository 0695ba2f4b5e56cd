"""The dialect of OpenAI itself and of servers that speak exactly like it.

Each event is read, and leaves as the bytes that it came as, but for the model's name and for what
the caller asked of usage. JSON has no unescaped quote inside a string, so `"model":"x"` in its
bytes is always a key and its value, never something said.
"""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import UNSET

from oxlo.engines.dialect import Answer, Decided, EngineCall, Prompted, Translator, Usage
from oxlo.engines.dialects import bodies, chat, failures, pictures
from oxlo.engines.dialects.bodies import Words
from oxlo.engines.dialects.chunks import Ways, read
from oxlo.engines.dialects.events import encoded, event
from oxlo.engines.dialects.shapes.openai import Choice, Chunk, Object, Said
from oxlo.engines.dialects.stream import Stream
from oxlo.engines.dialects.tools import NO_TOOLS
from oxlo.engines.dialects.usage import counted
from oxlo.errors import ApiError, EngineFailed
from oxlo.wire.chat import ChatRequest
from oxlo.wire.completions import CompletionRequest

CHAT_PATH: Final = "/v1/chat/completions"
COMPLETION_PATH: Final = "/v1/completions"
WAYS: Final = Ways("upstream", tells_thoughts=False)

_CHAT: Final = Words(bodies.CHAT, bodies.SAMPLERS)
_COMPLETION: Final = Words(bodies.COMPLETION, bodies.SAMPLERS)
_UNSET: Final = UNSET
_chunk: Final = msgspec.json.Decoder(Chunk)
_any: Final = msgspec.json.Decoder(Object)
_encode: Final = msgspec.json.Encoder().encode


class OpenAI:
    """Chat and completions, passed on as they are."""

    name = "openai"
    strict_context = True
    measures = False
    watched = False
    reads_openai_tokens = True

    def chat(self, request: ChatRequest, decided: Decided) -> EngineCall:
        """The engine's request, rebuilt from an allow-list."""
        body = bodies.encoded(bodies.chat(_CHAT, request, decided))
        return EngineCall(CHAT_PATH, pictures.spliced(body, decided))

    def chat_reply(self, body: bytes, request: ChatRequest, decided: Decided) -> Answer:
        """A whole chat reply in OpenAI's shape. Raises ApiError."""
        if _thinks(decided):
            return chat.reply(body, request, decided, NO_TOOLS, WAYS)
        return _answer(body, decided)

    def chat_stream(self, request: ChatRequest, decided: Decided) -> Translator:
        """A translator for one chat stream."""
        if _thinks(decided):
            return chat.ChatStream(request, decided, NO_TOOLS, WAYS)
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
        """OpenAI's API cannot count before it answers; it refuses what is too long itself."""
        return None

    def error(self, status: int, body: bytes) -> ApiError:
        """An engine's error reply as ours."""
        return failures.translate(status, body)


def _thinks(decided: Decided) -> bool:
    """Whether an answer has to be read for thoughts, and so cannot be passed on as it is."""
    return "reasoning" in decided.model.abilities


def _answer(body: bytes, decided: Decided) -> Answer:
    """The reply and what its receipt says. Raises ApiError."""
    told = read(_chunk, body)
    choices, usage = told.choices, told.usage
    if not choices:
        raise EngineFailed
    shown = renamed(body, told.model, decided)
    for choice in choices:
        if not _is_complete(choice):
            shown = _completed(shown)
            break
    finish = choices[0].finish_reason or "stop"
    return Answer(shown, counted(usage) if usage else Usage(), finish)


def _is_complete(choice: Choice) -> bool:
    """Whether a whole reply's choice has the fields that OpenAI always sends."""
    said = choice.message
    return choice.logprobs is not _UNSET and (said is None or said.refusal is not _UNSET)


def _completed(body: bytes) -> bytes:
    """The same reply with the fields that OpenAI always sends."""
    reply = _any.decode(body)
    for choice in reply["choices"]:
        choice.setdefault("logprobs", None)
        if isinstance(choice.get("message"), dict):
            choice["message"].setdefault("refusal", None)
    return _encode(reply)


def renamed(data: bytes, told: str | None, decided: Decided) -> bytes:
    """The same with the model's public name, whatever the engine calls it."""
    if told is None or told == decided.model.id:
        return data
    for key in (b'"model":', b'"model": '):
        before, found, after = data.partition(key + _encode(told))
        if found:
            return b"%b%b%b%b" % (before, key, _encode(decided.model.id), after)
    return _encode(_any.decode(data) | {"model": decided.model.id})


_NULL_USAGE: Final = b',"usage":null}'


class PassThrough(Stream):
    """Passes a stream on: every event is read, and leaves as the bytes that it came as."""

    __slots__ = ("_decided", "_last", "_wants_usage")

    def __init__(self, wants_usage: bool, decided: Decided) -> None:
        super().__init__()
        self._wants_usage = wants_usage
        self._decided = decided
        #: The event that told the usage.
        self._last = b""

    def _event(self, payload: bytes) -> bytes:
        chunk = read(_chunk, payload)
        for choice in chunk.choices:
            self._note(choice)
        shown_as = renamed(payload, chunk.model, self._decided)
        if chunk.usage:
            self.usage = counted(chunk.usage)
            self._last = shown_as
            return event(self._without_usage(shown_as, told=True)) if chunk.choices else b""
        shown = event(self._without_usage(shown_as, told=chunk.usage is None))
        words = _words(chunk.choices)
        if words:
            self._mould.make(payload, words, shown)
        return shown

    def _note(self, choice: Choice) -> None:
        said = choice.delta
        if choice.finish_reason:
            self.finish = choice.finish_reason
            self.started = True
        if choice.text or (said is not None and _has_content(said)):
            self.started = True
            self.pieces += 1

    def _without_usage(self, payload: bytes, *, told: bool) -> bytes:
        """`"usage":null` where usage was asked for, and nothing of it where it was not."""
        if told and not payload.endswith(_NULL_USAGE):
            payload = _stripped(payload)
        elif told:
            if self._wants_usage:
                return payload
            payload = payload[: -len(_NULL_USAGE)] + b"}"
        return payload[:-1] + _NULL_USAGE if self._wants_usage else payload

    def close(self) -> bytes:
        """The usage chunk, when it was asked for: it comes last."""
        if not self._wants_usage or not self._last:
            return b""
        last = _any.decode(self._last)
        return encoded(last | {"choices": [], "usage": last["usage"]})


def _stripped(payload: bytes) -> bytes:
    """A chunk without usage, wherever in it and however it was written."""
    chunk = _any.decode(payload)
    chunk.pop("usage", None)
    return _encode(chunk)


def _has_content(said: Said) -> bool:
    return bool(said.content or said.reasoning_content or said.refusal or said.tool_calls)


def _words(choices: list[Choice]) -> str | None:
    """The words of an event that has nothing else to tell."""
    if len(choices) != 1 or choices[0].finish_reason or choices[0].delta is None:
        return None
    return choices[0].delta.content
