"""llama.cpp's dialect: its server speaks almost OpenAI's language, and this mends the rest.

What it mends: missing nulls and token details, `timings`, token ids in logprobs, usage that counts
one choice of several, tools for models whose templates know none, roles that templates do not know.
"""

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Raw

from oxlo.engines.dialect import Answer, Decided, EngineCall, Prompted, Translator
from oxlo.engines.dialects import bodies, chat, completions, failures, pictures, tools
from oxlo.engines.dialects.bodies import WITH_USAGE, Words
from oxlo.engines.dialects.chunks import Ways
from oxlo.engines.dialects.counting import counter
from oxlo.engines.dialects.openai import CHAT_PATH, COMPLETION_PATH
from oxlo.engines.dialects.shapes.llamacpp import Count, Tokens
from oxlo.errors import ApiError, BadRequest, ContextLengthExceeded
from oxlo.wire.chat import ChatRequest
from oxlo.wire.completions import CompletionRequest
from oxlo.wire.decode import sent
from oxlo.wire.shapes.chat import JsonSchema, ResponseFormat
from oxlo.wire.shapes.messages import Message

WAYS: Final = Ways("llamacpp", usage_per_choice=True, legacy=False)

#: llama.cpp's own defaults are not neutral. It has no echo: the platform puts the prompt first.
_SAMPLERS = bodies.SAMPLERS | {
    "top_k": "top_k",
    "min_p": "min_p",
    "typical_p": "typical_p",
    "repeat_penalty": "repeat_penalty",
    "mirostat_mode": "mirostat",
    "mirostat_tau": "mirostat_tau",
    "mirostat_eta": "mirostat_eta",
}
_CHAT: Final = Words(bodies.CHAT, _SAMPLERS)
_COMPLETION: Final = Words((*bodies.SHARED, "prompt"), _SAMPLERS)

_encode: Final = msgspec.json.Encoder().encode
_parts: Final = msgspec.json.Decoder(list[dict[str, Any]])
#: How JSON begins that is a list.
_LIST: Final = 0x5B
_PARSER_WORDS = re.compile(
    r"^Unable to generate parser for this template\.\s*|^Automatic parser generation failed:\s*"
)
#: Fields that its errors are about, by a word that stands in them.
_FIELDS = {"schema": "response_format", "invalid tokens": "prompt"}
_input_tokens = counter(Count, lambda told: told.input_tokens)
_token_count = counter(Tokens, lambda told: len(told.tokens))


class LlamaCpp:
    """llama.cpp's server."""

    name = "llamacpp"
    strict_context = False
    measures = False
    watched = False
    reads_openai_tokens = False

    def chat(self, request: ChatRequest, decided: Decided) -> EngineCall:
        """The engine's request, rebuilt from an allow-list."""
        wanted = _plan(request, decided)
        body = bodies.chat(_CHAT, request, decided)
        body["messages"] = _messages(body["messages"], request, decided, wanted)
        if decided.model.tools == "constrained" or wanted.forced:
            for name in bodies.TOOLS:
                body.pop(name, None)
        if wanted.forced:
            body["response_format"] = _schema_format(wanted)
        if request.alternatives == 0:  # asked for none, it tells no log probability at all
            body["top_logprobs"] = 1
        told = _written(body, choices=request.n)
        return EngineCall(CHAT_PATH, pictures.spliced(told, decided))

    def chat_reply(self, body: bytes, request: ChatRequest, decided: Decided) -> Answer:
        """A whole chat reply in OpenAI's shape. Raises ApiError."""
        return chat.reply(body, request, decided, _plan(request, decided), WAYS)

    def chat_stream(self, request: ChatRequest, decided: Decided) -> Translator:
        """A translator for one chat stream."""
        return chat.ChatStream(request, decided, _plan(request, decided), WAYS)

    def completion(self, request: CompletionRequest, decided: Decided) -> EngineCall:
        """As `chat`, for the legacy endpoint."""
        body = _COMPLETION.write(request, decided)
        choices = request.n * len(request.prompts)
        return EngineCall(COMPLETION_PATH, _written(body, choices))

    def completion_reply(self, body: bytes, request: CompletionRequest, decided: Decided) -> Answer:
        """As `chat_reply`, for the legacy endpoint."""
        return completions.reply(body, request, decided, WAYS)

    def completion_stream(self, request: CompletionRequest, decided: Decided) -> Translator:
        """As `chat_stream`, for the legacy endpoint."""
        return completions.CompletionStream(request, decided, WAYS)

    def count(
        self, request: Prompted, decided: Decided
    ) -> tuple[EngineCall, Callable[[bytes], int]] | None:
        """The server counts chats with their template, and plain text by its tokenizer."""
        if isinstance(request, ChatRequest):
            words = pictures.left_out(request)
            messages = _messages(words, request, decided, _plan(request, decided))
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
        words = message.lower()
        param = next((name for word, name in _FIELDS.items() if word in words), error.param)
        return BadRequest(message, param=param, code=error.error_code)


def _plan(request: ChatRequest, decided: Decided) -> tools.Plan:
    """What the platform does about tools; nothing where the engine's own parser does it."""
    wanted = tools.plan(request)
    if decided.model.tools == "native" and not wanted.forced:
        return tools.NO_TOOLS
    return wanted


def _messages(
    messages: list[Message], request: ChatRequest, decided: Decided, wanted: tools.Plan
) -> list[Message] | Raw:
    """The caller's messages; other ones where tools are told in words, or a role is unknown."""
    unusual = request.summary.unusual
    if "refusal" in request.summary.kinds:
        messages = [_spoken(message) for message in messages]
    if "developer" in unusual:
        messages = [_known(message) for message in messages]
    spoken_of = decided.model.tools == "constrained" and (wanted.functions or "tool" in unusual)
    return tools.rendered(messages, wanted) if spoken_of or wanted.forced else messages


def _spoken(message: Message) -> Message:
    """A message whose refusals are said as any text: the server knows none."""
    content = message.content
    if message.refusal and not sent(content):
        return msgspec.structs.replace(message, content=Raw(_encode(message.refusal)), refusal=None)
    if not isinstance(content, Raw) or memoryview(content)[0] != _LIST:
        return message
    parts = [
        {"type": "text", "text": part["refusal"]} if part.get("type") == "refusal" else part
        for part in _parts.decode(content)
    ]
    return msgspec.structs.replace(message, content=Raw(_encode(parts)))


def _known(message: Message) -> Message:
    """A message whose role every template knows."""
    if message.role != "developer":
        return message
    return msgspec.structs.replace(message, role="system")


def _schema_format(wanted: tools.Plan) -> ResponseFormat:
    schema = Raw(_encode(tools.schema(wanted)))
    return ResponseFormat("json_schema", JsonSchema("calls", schema, strict=True))


def _written(body: dict[str, Any], choices: int) -> bytes:
    """Several choices are asked for as a stream: only there does each tell its usage."""
    if choices > 1:
        body["stream"] = True
        body["stream_options"] = WITH_USAGE
    if "seed" in body:
        body["seed"] &= 0x7FFFFFFF
    # What comes of a prompt differs in its last bits with how much of it was in the cache, and so
    # does what is drawn with a seed, which is promised to come again.
    body["cache_prompt"] = "seed" not in body
    return bodies.encoded(body)
