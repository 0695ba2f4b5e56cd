"""vLLM's dialect: OpenAI's with a few more keys, which are taken out, and a few more samplers."""

from collections.abc import Callable
from typing import Any

import msgspec

from oxlo.engines.dialect import Answer, Decided, EngineCall, Translator
from oxlo.engines.dialects.bodies import ChatBody, CompletionBody
from oxlo.engines.dialects.openai import (
    OpenAI,
    PassThrough,
    answer,
    chat_fields,
    completion_fields,
    decode_reply,
    renamed,
)
from oxlo.wire.chat import ChatRequest
from oxlo.wire.completions import CompletionRequest

#: vLLM serves lower numbers first; our plans count upwards.
_TOP_PRIORITY = 3

#: Keys that vLLM adds, as they stand in almost every chunk: without a value.
_EMPTY = tuple(
    b',"%b":null' % key
    for key in (
        b"token_ids",
        b"stop_reason",
        b"prompt_token_ids",
        b"prompt_logprobs",
        b"kv_transfer_params",
    )
)
_REPLY_KEYS = (
    "prompt_logprobs",
    "prompt_token_ids",
    "kv_transfer_params",
    "prompt_text",
    "system_fingerprint_vllm",
)
_CHOICE_KEYS = ("stop_reason", "token_ids", "prompt_token_ids", "prompt_logprobs", "routed_experts")

_encode = msgspec.json.Encoder().encode
_any = msgspec.json.Decoder(dict[str, Any])


class VllmChat(ChatBody, kw_only=True, omit_defaults=True):
    """A chat as vLLM takes it."""

    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    priority: int | None = None


class VllmCompletion(CompletionBody, kw_only=True, omit_defaults=True):
    """A completion as vLLM takes it."""

    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    priority: int | None = None


class _Count(msgspec.Struct):
    count: int


class Vllm(OpenAI):
    """vLLM's server, with `--scheduling-policy priority`."""

    name = "vllm"
    strict_context = True

    def _chat_body(self, request: ChatRequest, decided: Decided) -> ChatBody:
        return VllmChat(**chat_fields(request, decided), **_samplers(request, decided))

    def _completion_body(self, request: CompletionRequest, decided: Decided) -> CompletionBody:
        return VllmCompletion(**completion_fields(request, decided), **_samplers(request, decided))

    def chat_reply(self, body: bytes, request: ChatRequest, decided: Decided) -> Answer:
        """A whole chat reply without vLLM's additions."""
        read = decode_reply(body)
        return answer(renamed(_encode(_cleaned(_any.decode(body))), decided), read)

    def completion_reply(self, body: bytes, request: CompletionRequest, decided: Decided) -> Answer:
        """A whole completion without vLLM's additions."""
        return self.chat_reply(body, request, decided)  # type: ignore[arg-type]

    def chat_stream(self, request: ChatRequest, decided: Decided) -> Translator:
        """A translator for one chat stream."""
        return VllmStream(request.include_usage, decided)

    def completion_stream(self, request: CompletionRequest, decided: Decided) -> Translator:
        """A translator for one completion stream."""
        return VllmStream(request.include_usage, decided)

    def count(
        self, request: ChatRequest | CompletionRequest, decided: Decided
    ) -> tuple[EngineCall, Callable[[bytes], int]] | None:
        """vLLM counts at /tokenize, with the chat's template."""
        asked: dict[str, Any] = {"model": decided.engine_model}
        if isinstance(request, ChatRequest):
            asked |= {"messages": request.messages}
            if request.has_tools:
                asked["tools"] = request.tools
        else:
            prompt = max(request.prompts, key=len)
            if not isinstance(prompt, str):
                return None
            asked["prompt"] = prompt
        return EngineCall("/tokenize", _encode(asked)), _count


def _count(body: bytes) -> int:
    return msgspec.json.decode(body, type=_Count).count


def _samplers(request: ChatRequest | CompletionRequest, decided: Decided) -> dict[str, Any]:
    """Neutral unless somebody asks: a model's own generation defaults do not slip in."""
    return {
        "top_k": request.top_k,
        "min_p": request.min_p,
        "repetition_penalty": request.repeat_penalty,
        "priority": _TOP_PRIORITY - decided.priority,
    }


def _cleaned(reply: dict[str, Any]) -> dict[str, Any]:
    for key in _REPLY_KEYS:
        reply.pop(key, None)
    for choice in reply.get("choices", ()):
        for key in _CHOICE_KEYS:
            choice.pop(key, None)
        choice.setdefault("logprobs", None)
        for said in (choice.get("message"), choice.get("delta")):
            if said is not None:
                _mend(said)
        if "message" in choice:
            choice["message"].setdefault("refusal", None)
    return reply


def _mend(said: dict[str, Any]) -> None:
    """Our name for thoughts; empty tool calls are no tool calls."""
    thoughts = said.pop("reasoning", None) or said.pop("reasoning_content", None)
    said.pop("reasoning_content", None)
    if thoughts:
        said["reasoning_content"] = thoughts
    if not said.get("tool_calls", True):
        del said["tool_calls"]


class VllmStream(PassThrough):
    """Takes vLLM's own keys out of a stream."""

    __slots__ = ()

    def _clean(self, data: bytes) -> bytes:
        for empty in _EMPTY:
            if empty in data:
                data = data.replace(empty, b"")
        if b'"reasoning":' in data:
            data = _rename_thoughts(data)
        return data

    def _is_plain(self, data: bytes) -> bool:
        return b'"stop_reason":' not in data and PassThrough._is_plain(self, data)

    def _chunk(self, chunk: dict[str, Any], payload: bytes) -> bytes:
        cleaned = _cleaned(chunk)
        return PassThrough._chunk(self, cleaned, _encode(cleaned))


def _rename_thoughts(data: bytes) -> bytes:
    if b'"reasoning_content":' in data:  # both spellings: the older one is dropped where it is null
        return data.replace(b',"reasoning":null', b"")
    return data.replace(b'"reasoning":', b'"reasoning_content":')
