"""The dialect of OpenAI itself and of servers that speak exactly like it.

Most bytes need no change. JSON has no unescaped quote inside a string, so `,"usage":null` or
`"model":"x"` in the bytes of whole events is always a key and its value, never something said:
finding and replacing such bytes is as sound as parsing, and many times cheaper.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from oxlo.engines.dialect import Answer, Decided, EngineCall, Translator, Usage
from oxlo.engines.dialects import failures
from oxlo.engines.dialects.bodies import WITH_USAGE, ChatBody, CompletionBody, temperature
from oxlo.engines.dialects.events import DONE, Cutter, encoded, event, payloads
from oxlo.errors import ApiError, EngineFailed
from oxlo.wire.chat import ChatRequest
from oxlo.wire.completions import CompletionRequest

_encode = msgspec.json.Encoder().encode

CHAT_PATH = "/v1/chat/completions"
COMPLETION_PATH = "/v1/completions"


class Details(msgspec.Struct):
    """Parts of a token count."""

    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class RawUsage(msgspec.Struct):
    """Usage as engines report it."""

    prompt_tokens: int = 0
    completion_tokens: int | None = 0
    prompt_tokens_details: Details | None = None
    completion_tokens_details: Details | None = None

    def counted(self) -> Usage:
        """As receipts hold it."""
        prompt, completion = self.prompt_tokens_details, self.completion_tokens_details
        return Usage(
            self.prompt_tokens,
            self.completion_tokens or 0,
            (prompt.cached_tokens or 0) if prompt else 0,
            (completion.reasoning_tokens or 0) if completion else 0,
        )


class _Choice(msgspec.Struct):
    finish_reason: str | None = None


class _Reply(msgspec.Struct):
    choices: list[_Choice]
    usage: RawUsage | None = None


_reply = msgspec.json.Decoder(_Reply)
_any = msgspec.json.Decoder(dict[str, Any])


class OpenAI:
    """Chat and completions, passed on as they are."""

    name = "openai"
    strict_context = True

    def chat(self, request: ChatRequest, decided: Decided) -> EngineCall:
        """The engine's request, rebuilt from an allow-list."""
        return EngineCall(CHAT_PATH, _encode(self._chat_body(request, decided)))

    def _chat_body(self, request: ChatRequest, decided: Decided) -> ChatBody:
        return ChatBody(**chat_fields(request, decided))

    def chat_reply(self, body: bytes, request: ChatRequest, decided: Decided) -> Answer:
        """A whole chat reply in OpenAI's shape. Raises EngineFailed when it makes no sense."""
        read = decode_reply(body)
        if b'"refusal"' not in body or b'"logprobs"' not in body:
            body = self._completed(body)
        return answer(renamed(body, decided), read)

    def _completed(self, body: bytes) -> bytes:
        """The same reply with the fields that OpenAI always sends."""
        reply = _any.decode(body)
        for choice in reply["choices"]:
            choice.setdefault("logprobs", None)
            choice.get("message", {}).setdefault("refusal", None)
        return _encode(reply)

    def chat_stream(self, request: ChatRequest, decided: Decided) -> Translator:
        """A translator for one chat stream."""
        return PassThrough(request.include_usage, decided)

    def completion(self, request: CompletionRequest, decided: Decided) -> EngineCall:
        """As `chat`, for the legacy endpoint."""
        return EngineCall(COMPLETION_PATH, _encode(self._completion_body(request, decided)))

    def _completion_body(self, request: CompletionRequest, decided: Decided) -> CompletionBody:
        return CompletionBody(**completion_fields(request, decided))

    def completion_reply(self, body: bytes, request: CompletionRequest, decided: Decided) -> Answer:
        """As `chat_reply`, for the legacy endpoint."""
        return answer(renamed(body, decided), decode_reply(body))

    def completion_stream(self, request: CompletionRequest, decided: Decided) -> Translator:
        """As `chat_stream`, for the legacy endpoint."""
        return PassThrough(request.include_usage, decided)

    def count(
        self, request: ChatRequest | CompletionRequest, decided: Decided
    ) -> tuple[EngineCall, Callable[[bytes], int]] | None:
        """OpenAI's API cannot count before it answers; it refuses what is too long itself."""
        return None

    def error(self, status: int, body: bytes) -> ApiError:
        """An engine's error reply as ours."""
        return failures.translate(status, body)


def sampling_fields(request: ChatRequest | CompletionRequest, decided: Decided) -> dict[str, Any]:
    """The fields that chat and completions share."""
    return {
        "model": decided.engine_model,
        "stream": request.stream is True,
        "stream_options": WITH_USAGE if request.stream is True else None,
        "max_tokens": decided.max_tokens,
        "temperature": temperature(request.temperature, decided.model),
        "top_p": request.top_p,
        "n": request.n,
        "stop": request.stop,
        "seed": request.seed,
        "frequency_penalty": request.frequency_penalty,
        "presence_penalty": request.presence_penalty,
        "logit_bias": request.logit_bias,
    }


def chat_fields(request: ChatRequest, decided: Decided) -> dict[str, Any]:
    """A chat's fields."""
    return sampling_fields(request, decided) | {
        "messages": request.messages,
        "logprobs": request.logprobs,
        "top_logprobs": request.top_logprobs,
        "response_format": request.response_format,
        "tools": request.tools,
        "tool_choice": request.tool_choice,
        "parallel_tool_calls": request.parallel_tool_calls,
        "reasoning_effort": request.reasoning_effort,
    }


def completion_fields(request: CompletionRequest, decided: Decided) -> dict[str, Any]:
    """A completion's fields."""
    return sampling_fields(request, decided) | {
        "prompt": request.prompt,
        "logprobs": request.logprobs,
        "echo": request.echo,
    }


def decode_reply(body: bytes) -> _Reply:
    """What a receipt needs of a whole reply. Raises EngineFailed."""
    try:
        return _reply.decode(body)
    except (msgspec.ValidationError, msgspec.DecodeError):
        raise EngineFailed from None


def answer(body: bytes, read: _Reply) -> Answer:
    """The reply and what its receipt says."""
    usage = read.usage.counted() if read.usage else Usage()
    finish = read.choices[0].finish_reason if read.choices else None
    return Answer(body, usage, finish or "")


def renamed(body: bytes, decided: Decided) -> bytes:
    """The reply with the model's public name."""
    if decided.engine_model == decided.model.id:
        return body
    for old, new in _names(decided):
        body = body.replace(old, new)
    return body


def _names(decided: Decided) -> list[tuple[bytes, bytes]]:
    old, new = _encode(decided.engine_model), _encode(decided.model.id)
    return [(b'"model":%b%b' % (gap, old), b'"model":' + new) for gap in (b"", b" ")]


class PassThrough:
    """Passes a stream on; only the events that concern a receipt are looked into."""

    __slots__ = (
        "_cutter",
        "_names",
        "_tail",
        "_wants_usage",
        "done",
        "error",
        "finish",
        "started",
        "usage",
    )

    def __init__(self, wants_usage: bool, decided: Decided) -> None:
        self.started = False
        self.done = False
        self.error: ApiError | None = None
        self.usage = Usage()
        self.finish = ""
        self._wants_usage = wants_usage
        self._names = [] if decided.engine_model == decided.model.id else _names(decided)
        self._cutter = Cutter()
        self._tail = b""

    def feed(self, data: bytes) -> bytes:
        """Translate one read."""
        data = self._cutter.whole(data)
        if not data or self.error is not None or self.done:
            return b""
        for old, new in self._names:
            data = data.replace(old, new)
        data = self._clean(data)
        if self._is_plain(data):
            return self._plain(data)
        return b"".join(map(self._event, payloads(data)))

    def _clean(self, data: bytes) -> bytes:
        """Take out what the engine adds to OpenAI's shape; nothing here."""
        return data

    def _is_plain(self, data: bytes) -> bool:
        """Whether no event in these bytes concerns the receipt."""
        return (
            self.started
            and b'"usage":' not in data
            and b'"finish_reason":"' not in data
            and b"[DONE]" not in data
            and b'"error"' not in data
            and b'": ' not in data
        )

    def _plain(self, data: bytes) -> bytes:
        return data.replace(b"}\n\n", b',"usage":null}\n\n') if self._wants_usage else data

    def _event(self, payload: bytes) -> bytes:
        if self.done or self.error is not None:
            return b""
        if payload == DONE:
            self.done = True
            return b""
        try:
            chunk = _any.decode(payload)
        except msgspec.DecodeError:
            self.error = EngineFailed()
            return b""
        if "choices" not in chunk:
            self._without_choices(chunk, payload)
            return b""
        return self._chunk(chunk, payload)

    def _without_choices(self, chunk: dict[str, Any], payload: bytes) -> None:
        """An error, or something that OpenAI has not."""
        if "error" in chunk:
            self.error = failures.in_stream(payload)

    def _chunk(self, chunk: dict[str, Any], payload: bytes) -> bytes:
        usage = chunk.pop("usage", None)
        if usage:
            self.usage = msgspec.convert(usage, RawUsage).counted()
        for choice in chunk["choices"]:
            self._note(choice)
        if not chunk["choices"] and usage:
            if self._wants_usage:
                self._tail = encoded(chunk | {"usage": usage})
            return b""
        if self._wants_usage:
            return encoded(chunk | {"usage": None})
        return encoded(chunk) if b'"usage"' in payload else event(payload)

    def _note(self, choice: dict[str, Any]) -> None:
        self.finish = choice.get("finish_reason") or self.finish
        delta = choice.get("delta")
        said = delta if isinstance(delta, dict) else {"content": choice.get("text")}
        if self.finish or any(said.get(key) for key in _CONTENT):
            self.started = True

    def close(self) -> bytes:
        """The usage chunk, when it was asked for: it comes last."""
        return self._tail


_CONTENT = ("content", "tool_calls", "reasoning_content", "reasoning", "refusal")
