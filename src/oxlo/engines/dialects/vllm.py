"""vLLM's dialect: OpenAI's with more samplers, and additional keys that are removed."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from oxlo.engines.dialect import Answer, Decided, EngineCall, Prompted, Translator
from oxlo.engines.dialects import bodies, chat, completions, pictures
from oxlo.engines.dialects.bodies import RequestFields
from oxlo.engines.dialects.chunks import Traits
from oxlo.engines.dialects.counting import counter
from oxlo.engines.dialects.openai import CHAT_PATH, COMPLETION_PATH, OpenAI
from oxlo.engines.dialects.shapes.vllm import Count
from oxlo.engines.dialects.tools import NO_TOOLS
from oxlo.wire.chat import ChatRequest
from oxlo.wire.completions import CompletionRequest

#: vLLM schedules lower numbers first; our plans count upwards.
_TOP_PRIORITY: Final = 3
TRAITS: Final = Traits("vllm")
_SAMPLERS = bodies.SAMPLERS | {
    "top_k": "top_k",
    "min_p": "min_p",
    "repeat_penalty": "repetition_penalty",
}
_CHAT: Final = RequestFields(bodies.CHAT, _SAMPLERS)
_COMPLETION: Final = RequestFields(bodies.COMPLETION, _SAMPLERS)

_encode: Final = msgspec.json.Encoder().encode
_count = counter(Count, lambda reply: reply.count)


class Vllm(OpenAI):
    """vLLM's server, run with `--scheduling-policy priority`."""

    name = "vllm"
    strict_context = True
    reads_openai_tokens = False

    def chat(self, request: ChatRequest, decided: Decided) -> EngineCall:
        """Build the engine's request from an allow-list."""
        body = _written(bodies.chat(_CHAT, request, decided), decided)
        return EngineCall(CHAT_PATH, pictures.spliced(body, decided))

    def chat_reply(self, body: bytes, request: ChatRequest, decided: Decided) -> Answer:
        """Translate a whole chat response. Raises ApiError."""
        return chat.reply(body, request, decided, NO_TOOLS, TRAITS)

    def chat_stream(self, request: ChatRequest, decided: Decided) -> Translator:
        """A translator for one chat stream."""
        return chat.ChatStream(request, decided, NO_TOOLS, TRAITS)

    def completion(self, request: CompletionRequest, decided: Decided) -> EngineCall:
        """As `chat`, for the legacy endpoint."""
        body = _COMPLETION.write(request, decided)
        return EngineCall(COMPLETION_PATH, _written(body, decided))

    def completion_reply(self, body: bytes, request: CompletionRequest, decided: Decided) -> Answer:
        """Translate a whole completion. Raises ApiError."""
        return completions.reply(body, request, decided, TRAITS)

    def completion_stream(self, request: CompletionRequest, decided: Decided) -> Translator:
        """A translator for one completion stream."""
        return completions.CompletionStream(request, decided, TRAITS)

    def count(
        self, request: Prompted, decided: Decided
    ) -> tuple[EngineCall, Callable[[bytes], int]] | None:
        """vLLM counts at /tokenize, including the chat template."""
        body: dict[str, Any] = {"model": decided.engine_model}
        if isinstance(request, ChatRequest):
            body |= {"messages": pictures.left_out(request)}
            if request.has_tools:
                body["tools"] = request.given["tools"]
        else:
            prompt = max(request.prompts, key=len)
            if not isinstance(prompt, str):
                return None
            body["prompt"] = prompt
        return EngineCall("/tokenize", _encode(body)), _count


def _written(body: dict[str, Any], decided: Decided) -> bytes:
    body["priority"] = _TOP_PRIORITY - decided.priority
    return bodies.encoded(body)
