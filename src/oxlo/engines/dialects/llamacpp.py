"""llama.cpp's dialect: its server speaks almost OpenAI's language, and this mends the rest.

What it mends: missing nulls and token details, `timings`, token ids in logprobs, usage that counts
one choice of several, tools for models whose templates know none, roles that templates do not know.
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET

from oxlo.engines.dialect import Answer, Decided, EngineCall, Translator
from oxlo.engines.dialects import completions, failures, tools
from oxlo.engines.dialects.bodies import WITH_USAGE, ChatBody, CompletionBody, temperature
from oxlo.engines.dialects.chunks import ChatStream, gather_reply, gather_stream, reply
from oxlo.engines.dialects.openai import (
    CHAT_PATH,
    COMPLETION_PATH,
    chat_fields,
    completion_fields,
)
from oxlo.errors import ApiError, BadRequest, ContextLengthExceeded
from oxlo.wire.chat import ChatRequest, JsonSchema, ResponseFormat
from oxlo.wire.completions import CompletionRequest

Raw = msgspec.Raw

_encode = msgspec.json.Encoder().encode
_DEVELOPER = re.compile(rb'"role"\s*:\s*"developer"')
_PARSER_WORDS = re.compile(
    r"^Unable to generate parser for this template\.\s*|^Automatic parser generation failed:\s*"
)


class _Samplers(msgspec.Struct, kw_only=True):
    """llama.cpp's samplers, always sent: its own defaults are not neutral."""

    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    typical_p: float = 1.0
    repeat_penalty: float = 1.0
    mirostat: int = 0
    mirostat_tau: float = 5.0
    mirostat_eta: float = 0.1
    cache_prompt: bool = True


class _Count(msgspec.Struct):
    input_tokens: int


class _Tokens(msgspec.Struct):
    tokens: list[int]


class LlamaCpp:
    """llama.cpp's server."""

    name = "llamacpp"
    strict_context = False

    def chat(self, request: ChatRequest, decided: Decided) -> EngineCall:
        """The engine's request. Raises BadRequest for tools that make no sense."""
        wanted = _plan(request, decided)
        fields = chat_fields(request, decided)
        fields |= self._common(request, decided, choices=request.n or 1)
        fields["messages"] = _messages(request, decided, wanted)
        if decided.model.tools == "constrained" or wanted.forced:
            fields |= {"tools": UNSET, "tool_choice": UNSET, "parallel_tool_calls": None}
        if wanted.forced:
            fields["response_format"] = _schema_format(wanted)
        return EngineCall(CHAT_PATH, _encode(_flat(ChatBody(**fields), request)))

    def _common(
        self, request: ChatRequest | CompletionRequest, decided: Decided, choices: int
    ) -> dict[str, Any]:
        """Several choices are asked for as a stream: only there does each tell its usage."""
        stream = request.stream is True or choices > 1
        seed = request.seed
        return {
            "stream": stream,
            "stream_options": WITH_USAGE if stream else None,
            "seed": seed & 0x7FFFFFFF if seed is not None else None,
            "temperature": temperature(request.temperature, decided.model),
            "top_p": None,
        }

    def chat_reply(self, body: bytes, request: ChatRequest, decided: Decided) -> Answer:
        """A whole chat reply in OpenAI's shape. Raises EngineFailed when it makes no sense."""
        wanted = _plan(request, decided)
        gather = gather_stream if (request.n or 1) > 1 else gather_reply
        return reply(gather(body, wanted), decided)

    def chat_stream(self, request: ChatRequest, decided: Decided) -> Translator:
        """A translator for one chat stream."""
        return ChatStream(_plan(request, decided), request.include_usage, decided)

    def completion(self, request: CompletionRequest, decided: Decided) -> EngineCall:
        """As `chat`, for the legacy endpoint."""
        choices = (request.n or 1) * len(request.prompts)
        fields = completion_fields(request, decided)
        fields |= self._common(request, decided, choices)
        fields["echo"] = None  # llama.cpp has no echo: the platform puts the prompt before the text
        return EngineCall(COMPLETION_PATH, _encode(_flat(CompletionBody(**fields), request)))

    def completion_reply(self, body: bytes, request: CompletionRequest, decided: Decided) -> Answer:
        """As `chat_reply`, for the legacy endpoint."""
        return completions.reply(body, request, decided)

    def completion_stream(self, request: CompletionRequest, decided: Decided) -> Translator:
        """As `chat_stream`, for the legacy endpoint."""
        return completions.CompletionStream(request, decided)

    def count(
        self, request: ChatRequest | CompletionRequest, decided: Decided
    ) -> tuple[EngineCall, Callable[[bytes], int]] | None:
        """The server counts chats with their template, and plain text by its tokenizer."""
        if isinstance(request, ChatRequest):
            messages = _messages(request, decided, _plan(request, decided))
            body = _encode({"messages": messages})
            return EngineCall(f"{CHAT_PATH}/input_tokens", body), _input_tokens
        longest = max(request.prompts, key=len)
        if isinstance(longest, str):
            body = _encode({"content": longest, "add_special": True})
            return EngineCall("/tokenize", body), _token_count
        return None

    def error(self, status: int, body: bytes) -> ApiError:
        """An engine's error reply as ours, naming the field where llama.cpp's words tell it."""
        error = failures.translate(status, body)
        if type(error) is not BadRequest or isinstance(error, ContextLengthExceeded):
            return error
        message = _PARSER_WORDS.sub("", _PARSER_WORDS.sub("", error.message))
        param = "response_format" if "schema" in message.lower() else error.param
        return BadRequest(message, param=param, code=error.error_code)


def _plan(request: ChatRequest, decided: Decided) -> tools.Plan:
    """What the platform does about tools; nothing where the engine's own parser does it."""
    wanted = tools.plan(request)
    if decided.model.tools == "native" and not wanted.forced:
        return tools.NO_TOOLS
    return wanted


def _messages(request: ChatRequest, decided: Decided, wanted: tools.Plan) -> Raw:
    raw = bytes(request.messages)
    spoken_of = decided.model.tools == "constrained" and (wanted.functions or b'"tool' in raw)
    if spoken_of or wanted.forced:
        raw = tools.rendered(raw, wanted)
    if b"developer" in raw:
        raw = _DEVELOPER.sub(b'"role":"system"', raw)
    return Raw(raw)


def _schema_format(wanted: tools.Plan) -> ResponseFormat:
    schema = Raw(_encode(tools.schema(wanted)))
    return ResponseFormat("json_schema", JsonSchema("calls", schema, strict=True))


def _flat(body: ChatBody | CompletionBody, request: ChatRequest | CompletionRequest) -> Any:
    """The body with the samplers beside the other fields."""
    samplers = _Samplers(
        top_k=request.top_k or 0,
        top_p=1.0 if request.top_p is None else request.top_p,
        min_p=request.min_p or 0.0,
        typical_p=1.0 if request.typical_p is None else request.typical_p,
        repeat_penalty=1.0 if request.repeat_penalty is None else request.repeat_penalty,
        mirostat=request.mirostat_mode or 0,
        mirostat_tau=5.0 if request.mirostat_tau is None else request.mirostat_tau,
        mirostat_eta=0.1 if request.mirostat_eta is None else request.mirostat_eta,
    )
    return Raw(_encode(body)[:-1] + b"," + _encode(samplers)[1:])


def _input_tokens(body: bytes) -> int:
    return msgspec.json.decode(body, type=_Count).input_tokens


def _token_count(body: bytes) -> int:
    return len(msgspec.json.decode(body, type=_Tokens).tokens)
