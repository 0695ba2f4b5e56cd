"""vLLM's dialect: OpenAI's with a few more keys, which are taken out, and a few more samplers."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from oxlo.engines.dialect import Answer, Decided, EngineCall, Prompted, Translator
from oxlo.engines.dialects import bodies, chat, completions, pictures
from oxlo.engines.dialects.bodies import Words
from oxlo.engines.dialects.chunks import Ways
from oxlo.engines.dialects.counting import counter
from oxlo.engines.dialects.openai import CHAT_PATH, COMPLETION_PATH, OpenAI
from oxlo.engines.dialects.shapes.vllm import Count
from oxlo.engines.dialects.tools import NO_TOOLS
from oxlo.wire.chat import ChatRequest
from oxlo.wire.completions import CompletionRequest

#: vLLM serves lower numbers first; our plans count upwards.
_TOP_PRIORITY: Final = 3
WAYS: Final = Ways("vllm")
_SAMPLERS = bodies.SAMPLERS | {
    "top_k": "top_k",
    "min_p": "min_p",
    "repeat_penalty": "repetition_penalty",
}
_CHAT: Final = Words(bodies.CHAT, _SAMPLERS)
_COMPLETION: Final = Words(bodies.COMPLETION, _SAMPLERS)

_encode: Final = msgspec.json.Encoder().encode
_count = counter(Count, lambda told: told.count)


class Vllm(OpenAI):
    """vLLM's server, with `--scheduling-policy priority`."""

    name = "vllm"
    strict_context = True
    reads_openai_tokens = False

    def chat(self, request: ChatRequest, decided: Decided) -> EngineCall:
        """The engine's request, rebuilt from an allow-list."""
        body = _written(bodies.chat(_CHAT, request, decided), decided)
        return EngineCall(CHAT_PATH, pictures.spliced(body, decided))

    def chat_reply(self, body: bytes, request: ChatRequest, decided: Decided) -> Answer:
        """A whole chat reply without vLLM's additions. Raises ApiError."""
        return chat.reply(body, request, decided, NO_TOOLS, WAYS)

    def chat_stream(self, request: ChatRequest, decided: Decided) -> Translator:
        """A translator for one chat stream."""
        return chat.ChatStream(request, decided, NO_TOOLS, WAYS)

    def completion(self, request: CompletionRequest, decided: Decided) -> EngineCall:
        """As `chat`, for the legacy endpoint."""
        body = _COMPLETION.write(request, decided)
        return EngineCall(COMPLETION_PATH, _written(body, decided))

    def completion_reply(self, body: bytes, request: CompletionRequest, decided: Decided) -> Answer:
        """A whole completion without vLLM's additions. Raises ApiError."""
        return completions.reply(body, request, decided, WAYS)

    def completion_stream(self, request: CompletionRequest, decided: Decided) -> Translator:
        """A translator for one completion stream."""
        return completions.CompletionStream(request, decided, WAYS)

    def count(
        self, request: Prompted, decided: Decided
    ) -> tuple[EngineCall, Callable[[bytes], int]] | None:
        """vLLM counts at /tokenize, with the chat's template."""
        asked: dict[str, Any] = {"model": decided.engine_model}
        if isinstance(request, ChatRequest):
            asked |= {"messages": pictures.left_out(request)}
            if request.has_tools:
                asked["tools"] = request.given["tools"]
        else:
            prompt = max(request.prompts, key=len)
            if not isinstance(prompt, str):
                return None
            asked["prompt"] = prompt
        return EngineCall("/tokenize", _encode(asked)), _count


def _written(body: dict[str, Any], decided: Decided) -> bytes:
    body["priority"] = _TOP_PRIORITY - decided.priority
    return bodies.encoded(body)
