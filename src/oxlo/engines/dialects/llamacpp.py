"""llama.cpp's dialect: its server is almost OpenAI-compatible; this corrects the differences.

They are: missing nulls and token details, `timings`, token ids in logprobs, usage of only one of
several choices, chat templates without tools, roles that templates do not know.
"""

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Raw

from oxlo.engines.dialect import Answer, Decided, EngineCall, Prompted, Translator
from oxlo.engines.dialects import bodies, chat, completions, failures, pictures, tools
from oxlo.engines.dialects.bodies import WITH_USAGE, RequestFields
from oxlo.engines.dialects.chunks import Traits
from oxlo.engines.dialects.counting import counter
from oxlo.engines.dialects.openai import CHAT_PATH, COMPLETION_PATH
from oxlo.engines.dialects.shapes.llamacpp import Count, Tokens
from oxlo.errors import ApiError, BadRequest, ContextLengthExceeded
from oxlo.wire.chat import ChatRequest
from oxlo.wire.completions import CompletionRequest
from oxlo.wire.decode import sent, unsupported
from oxlo.wire.shapes.chat import JsonSchema, ResponseFormat
from oxlo.wire.shapes.messages import Message

TRAITS: Final = Traits("llamacpp", usage_per_choice=True, legacy=False)

#: All samplers are sent, because llama.cpp's defaults are not neutral. It has no `echo`: the
#: platform prepends the prompt.
_SAMPLERS = bodies.SAMPLERS | {
    "top_k": "top_k",
    "min_p": "min_p",
    "typical_p": "typical_p",
    "repeat_penalty": "repeat_penalty",
    "mirostat_mode": "mirostat",
    "mirostat_tau": "mirostat_tau",
    "mirostat_eta": "mirostat_eta",
}
_CHAT: Final = RequestFields(bodies.CHAT, _SAMPLERS)
_COMPLETION: Final = RequestFields((*bodies.SHARED, "prompt"), _SAMPLERS)

_encode: Final = msgspec.json.Encoder().encode
_parts: Final = msgspec.json.Decoder(list[dict[str, Any]])
#: First byte of a JSON array.
_LIST: Final = 0x5B
_PARSER_PREFIX = re.compile(
    r"^Unable to generate parser for this template\.\s*|^Automatic parser generation failed:\s*"
)
#: The field that an error is about, by a word in its message.
_FIELDS = {"schema": "response_format", "invalid tokens": "prompt"}
_input_tokens = counter(Count, lambda reply: reply.input_tokens)
_token_count = counter(Tokens, lambda reply: len(reply.tokens))


class LlamaCpp:
    """llama.cpp's server."""

    name = "llamacpp"
    strict_context = False
    measures = False
    watched = False
    reads_openai_tokens = False

    def chat(self, request: ChatRequest, decided: Decided) -> EngineCall:
        """Build the engine's request from an allow-list."""
        wanted = _plan(request, decided)
        body = bodies.chat(_CHAT, request, decided)
        body["messages"] = _messages(body["messages"], request, decided, wanted)
        if decided.model.tools == "constrained" or wanted.forced:
            for name in bodies.TOOLS:
                body.pop(name, None)
        if wanted.forced:
            body["response_format"] = _schema_format(wanted)
        if request.alternatives == 0:  # with 0, llama.cpp sends no log probabilities at all
            body["top_logprobs"] = 1
        encoded = _written(body, choices=request.n)
        return EngineCall(CHAT_PATH, pictures.spliced(encoded, decided))

    def chat_reply(self, body: bytes, request: ChatRequest, decided: Decided) -> Answer:
        """Translate a whole chat response. Raises ApiError."""
        return chat.reply(body, request, decided, _plan(request, decided), TRAITS)

    def chat_stream(self, request: ChatRequest, decided: Decided) -> Translator:
        """A translator for one chat stream."""
        return chat.ChatStream(request, decided, _plan(request, decided), TRAITS)

    def completion(self, request: CompletionRequest, decided: Decided) -> EngineCall:
        """As `chat`, for the legacy endpoint."""
        _check_echo(request, decided)
        body = _COMPLETION.write(request, decided)
        if body.get("logprobs") == 0:  # as in a chat
            body["logprobs"] = 1
        choices = request.n * len(request.prompts)
        return EngineCall(COMPLETION_PATH, _written(body, choices))

    def completion_reply(self, body: bytes, request: CompletionRequest, decided: Decided) -> Answer:
        """As `chat_reply`, for the legacy endpoint."""
        return completions.reply(body, request, decided, TRAITS)

    def completion_stream(self, request: CompletionRequest, decided: Decided) -> Translator:
        """As `chat_stream`, for the legacy endpoint."""
        return completions.CompletionStream(request, decided, TRAITS)

    def count(
        self, request: Prompted, decided: Decided
    ) -> tuple[EngineCall, Callable[[bytes], int]] | None:
        """The server counts chats with their template, and plain text by its tokenizer."""
        if isinstance(request, ChatRequest):
            text_only = pictures.left_out(request)
            messages = _messages(text_only, request, decided, _plan(request, decided))
            body = _encode({"messages": messages})
            return EngineCall(f"{CHAT_PATH}/input_tokens", body), _input_tokens
        longest = max(request.prompts, key=len)
        if isinstance(longest, str):
            body = _encode({"content": longest, "add_special": True})
            return EngineCall("/tokenize", body), _token_count
        return None

    def error(self, status: int, body: bytes) -> ApiError:
        """Translate an error, naming the field if llama.cpp's message reveals it."""
        error = failures.translate(status, body)
        if type(error) is not BadRequest or isinstance(error, ContextLengthExceeded):
            return error
        message = _PARSER_PREFIX.sub("", _PARSER_PREFIX.sub("", error.message))
        lowered = message.lower()
        param = next((name for word, name in _FIELDS.items() if word in lowered), error.param)
        return BadRequest(message, param=param, code=error.error_code)


def _check_echo(request: CompletionRequest, decided: Decided) -> None:
    """Refuse log probabilities of a prompt: the server tells those of the answer only."""
    given = request.given
    if given.get("echo") and "logprobs" in given:
        raise unsupported(
            "logprobs", f"with 'echo', as {decided.model.id} tells none for the prompt's tokens."
        )


def _plan(request: ChatRequest, decided: Decided) -> tools.Plan:
    """How the platform handles tools; not at all if the engine's own parser does."""
    wanted = tools.plan(request)
    if decided.model.tools == "native" and not wanted.forced:
        return tools.NO_TOOLS
    return wanted


def _messages(
    messages: list[Message], request: ChatRequest, decided: Decided, wanted: tools.Plan
) -> list[Message] | Raw:
    """The client's messages, rewritten if tools are described in text or a role is unknown."""
    unusual = request.summary.unusual
    if "refusal" in request.summary.kinds:
        messages = [_refusals_as_text(message) for message in messages]
    if "developer" in unusual:
        messages = [_system_role(message) for message in messages]
    as_text = decided.model.tools == "constrained" and (wanted.functions or "tool" in unusual)
    return tools.rendered(messages, wanted) if as_text or wanted.forced else messages


def _refusals_as_text(message: Message) -> Message:
    """The message with refusals as plain text: the server does not know them."""
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


def _system_role(message: Message) -> Message:
    """The message with `developer` as `system`, which every template knows."""
    if message.role != "developer":
        return message
    return msgspec.structs.replace(message, role="system")


def _schema_format(wanted: tools.Plan) -> ResponseFormat:
    schema = Raw(_encode(tools.schema(wanted)))
    return ResponseFormat("json_schema", JsonSchema("calls", schema, strict=True))


def _written(body: dict[str, Any], choices: int) -> bytes:
    """Encode it; several choices are requested as a stream, because only there each has usage."""
    if choices > 1:
        body["stream"] = True
        body["stream_options"] = WITH_USAGE
    if "seed" in body:
        body["seed"] &= 0x7FFFFFFF
    # Logits differ in their last bits with how much of the prompt was cached, and so may a sample;
    # but a seed promises the same answer again.
    body["cache_prompt"] = "seed" not in body
    return bodies.encoded(body)
