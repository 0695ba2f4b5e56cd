"""Replies as each kind of engine shapes them: the same words, three sets of fields."""
# ruff: noqa: D102 - overrides are documented where they are first defined

from typing import Any, ClassVar

import msgspec

from oxlo.testing.script import Script

Json = dict[str, Any]


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What the double needs to know of one request."""

    id: str
    created: int
    model: str
    chat: bool
    n: int
    #: Of `stream_options`.
    include_usage: bool
    continuous_usage: bool

    @property
    def kind(self) -> str:
        """The `object` of a whole reply."""
        return "chat.completion" if self.chat else "text_completion"


class OpenAIShape:
    """OpenAI's own replies; the other engines say where they differ."""

    name: ClassVar[str] = "openai"
    owner: ClassVar[str] = "openai"
    first_delta: ClassVar[Json] = {"role": "assistant", "content": "", "refusal": None}
    last_delta: ClassVar[Json] = {}
    tool_id: ClassVar[str] = "call_"
    #: What follows an error event in a stream.
    after_error: ClassVar[bytes] = b""

    def envelope(self, call: Call, kind: str, choices: list[Json]) -> Json:
        """The fields around the choices."""
        return {
            "id": call.id,
            "object": kind,
            "created": call.created,
            "model": call.model,
            "service_tier": "default",
            "system_fingerprint": "fp_oxlo_double",
            "choices": choices,
        }

    def message(self, script: Script, text: str) -> Json:
        """The message of a whole chat reply."""
        calls = {"tool_calls": self.calls(script)} if script.tool_calls else {}
        content = None if script.tool_calls else text
        thoughts = self.reasoning(script.reasoning) if script.reasoning else {}
        return {
            "role": "assistant", "content": content, **thoughts, **calls,
            "refusal": None, "annotations": [],
        }  # fmt: skip

    def calls(self, script: Script) -> list[Json]:
        """Tool calls of a whole reply."""
        return [
            {
                "id": f"{self.tool_id}{i}",
                "type": "function",
                "function": {"name": name, "arguments": arguments},
            }
            for i, (name, arguments) in enumerate(script.tool_calls)
        ]

    def choice(self, call: Call, index: int, script: Script, text: str) -> Json:
        """One choice of a whole reply."""
        ends = {"logprobs": None, "finish_reason": finish(script)}
        if call.chat:
            return {"index": index, "message": self.message(script, text), **ends}
        return {"text": text, "index": index, **ends}

    def whole(self, call: Call, script: Script, text: str) -> Json:
        """A whole reply."""
        choices = [self.choice(call, i, script, text) for i in range(call.n)]
        reply = self.envelope(call, call.kind, choices)
        return reply | {"usage": self.usage(script, words(text) * call.n)}

    def chunk(self, call: Call, index: int, delta: Json, end: str | None) -> Json:
        """One event of a stream; `delta` is `{"content": text}` for the legacy endpoint too."""
        ends = {"logprobs": None, "finish_reason": end}
        if call.chat:
            choice = {"index": index, "delta": delta, **ends}
        else:
            choice = {"text": delta.get("content") or "", "index": index, **ends}
        kind = "chat.completion.chunk" if call.chat else "text_completion"
        usage = {"usage": None} if call.include_usage else {}
        return self.envelope(call, kind, [choice]) | usage

    def usage_chunk(self, call: Call, script: Script, tokens: int) -> Json | None:
        """The last event before `[DONE]`, when there is one."""
        if not call.include_usage:
            return None
        kind = "chat.completion.chunk" if call.chat else "text_completion"
        return self.envelope(call, kind, []) | {"usage": self.usage(script, tokens)}

    def running_usage(self, call: Call, script: Script, tokens: int) -> Json:
        """What an event in the middle of a stream says about usage, where an engine does."""
        return {}

    def usage(self, script: Script, tokens: int) -> Json:
        """The usage object."""
        return _counts(script, tokens) | {
            "prompt_tokens_details": {"cached_tokens": script.cached_tokens, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": words(script.reasoning),
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }

    def reasoning(self, text: str) -> Json:
        """A delta or part of a message with thoughts."""
        return {"reasoning_content": text}

    def tool_deltas(self, script: Script) -> list[Json]:
        """Deltas of streamed tool calls: the name first, then the arguments in two fragments."""
        return [delta for i, call in enumerate(script.tool_calls) for delta in self._tool(i, *call)]

    def _tool(self, index: int, name: str, arguments: str) -> list[Json]:
        half = len(arguments) // 2
        head = {
            "index": index,
            "id": f"{self.tool_id}{index}",
            "type": "function",
            "function": {"name": name, "arguments": ""},
        }
        rest = [
            {"index": index, "function": {"arguments": part}}
            for part in (arguments[:half], arguments[half:])
        ]
        return [{"tool_calls": [part]} for part in (head, *rest)]

    def error(self, status: int, message: str) -> Json:
        """An error reply."""
        kind = "invalid_request_error" if status < 500 else "server_error"
        return {"error": {"message": message, "type": kind, "param": None, "code": None}}

    def models(self, model: str, context: int) -> Json:
        """The model list."""
        entry = {"id": model, "object": "model", "created": 1, "owned_by": self.owner}
        return {"object": "list", "data": [entry]}


class VllmShape(OpenAIShape):
    """vLLM: fields that OpenAI lacks, and unset ones left out of a stream's events."""

    name = "vllm"
    owner = "vllm"
    first_delta: ClassVar[Json] = {"role": "assistant", "content": ""}
    last_delta: ClassVar[Json] = {"content": ""}
    tool_id = "chatcmpl-tool-"
    after_error = b"data: [DONE]\n\n"

    def envelope(self, call: Call, kind: str, choices: list[Json]) -> Json:
        return {
            "id": call.id,
            "object": kind,
            "created": call.created,
            "model": call.model,
            "choices": choices,
        }

    def message(self, script: Script, text: str) -> Json:
        calls = {"tool_calls": self.calls(script)} if script.tool_calls else {}
        return {
            "role": "assistant",
            "content": None if script.tool_calls else text,
            "refusal": None,
            "annotations": None,
            "audio": None,
            "function_call": None,
            **calls,
            "reasoning": script.reasoning or None,
        }

    def choice(self, call: Call, index: int, script: Script, text: str) -> Json:
        own = {"stop_reason": None, "token_ids": None}
        own |= {"routed_experts": None} if call.chat else {"prompt_logprobs": None}
        return super().choice(call, index, script, text) | own

    def whole(self, call: Call, script: Script, text: str) -> Json:
        reply = super().whole(call, script, text)
        usage = reply.pop("usage")
        return reply | {
            "service_tier": None,
            "system_fingerprint": None,
            "usage": usage,
            "prompt_logprobs": None,
            "prompt_token_ids": None,
            "kv_transfer_params": None,
        }

    def chunk(self, call: Call, index: int, delta: Json, end: str | None) -> Json:
        event = super().chunk(call, index, delta, end)
        event.pop("usage", None)
        own = {"token_ids": None} if end is None else {"stop_reason": None, "token_ids": None}
        if delta is not self.first_delta:
            event["choices"][0] |= own
        if delta is self.first_delta:
            event["prompt_token_ids"] = None
        return event

    def running_usage(self, call: Call, script: Script, tokens: int) -> Json:
        return {"usage": self.usage(script, tokens)} if call.continuous_usage else {}

    def usage(self, script: Script, tokens: int) -> Json:
        details = {"cached_tokens": script.cached_tokens} if script.cached_tokens else None
        return {
            "prompt_tokens": script.prompt_tokens,
            "total_tokens": script.prompt_tokens + tokens,
            "completion_tokens": tokens,
            "prompt_tokens_details": details,
        }

    def reasoning(self, text: str) -> Json:
        return {"reasoning": text}

    def error(self, status: int, message: str) -> Json:
        kind = "BadRequestError" if status < 500 else "InternalServerError"
        return {"error": {"message": message, "type": kind, "param": None, "code": status}}

    def models(self, model: str, context: int) -> Json:
        listed = super().models(model, context)
        listed["data"][0] |= {"root": model, "parent": None, "max_model_len": context}
        return listed


class LlamaCppShape(OpenAIShape):
    """llama.cpp: `choices` first, no `refusal`, timings, and usage in the legacy last event."""

    name = "llamacpp"
    owner = "llamacpp"
    first_delta: ClassVar[Json] = {"role": "assistant", "content": None}
    tool_id = ""

    def envelope(self, call: Call, kind: str, choices: list[Json]) -> Json:
        return {
            "choices": choices,
            "created": call.created,
            "id": call.id,
            "model": call.model,
            "system_fingerprint": "b0-unknown",
            "object": kind,
        }

    def message(self, script: Script, text: str) -> Json:
        calls = {"tool_calls": self.calls(script)} if script.tool_calls else {}
        thoughts = self.reasoning(script.reasoning) if script.reasoning else {}
        return {"role": "assistant", "content": text, **thoughts, **calls}

    def choice(self, call: Call, index: int, script: Script, text: str) -> Json:
        if call.chat:
            message = self.message(script, text)
            return {"finish_reason": finish(script), "index": index, "message": message}
        return {"text": text, "index": index, "logprobs": None, "finish_reason": finish(script)}

    def whole(self, call: Call, script: Script, text: str) -> Json:
        return super().whole(call, script, text) | {"timings": _timings(script, words(text))}

    def chunk(self, call: Call, index: int, delta: Json, end: str | None) -> Json:
        if not call.chat:
            event = super().chunk(call, index, delta, end)
            event.pop("usage", None)
            return event
        choice = {"finish_reason": end, "index": index, "delta": delta}
        return self.envelope(call, "chat.completion.chunk", [choice])

    def usage_chunk(self, call: Call, script: Script, tokens: int) -> Json | None:
        event = super().usage_chunk(call, script, tokens) if call.chat else None
        return event and event | {"timings": _timings(script, tokens)}

    def usage(self, script: Script, tokens: int) -> Json:
        cached = {"prompt_tokens_details": {"cached_tokens": script.cached_tokens}}
        return {
            "completion_tokens": tokens,
            "prompt_tokens": script.prompt_tokens,
            "total_tokens": script.prompt_tokens + tokens,
            **cached,
        }

    def error(self, status: int, message: str) -> Json:
        kind = "invalid_request_error" if status < 500 else "server_error"
        return {"error": {"code": status, "message": message, "type": kind}}


SHAPES: dict[str, OpenAIShape] = {
    shape.name: shape for shape in (OpenAIShape(), VllmShape(), LlamaCppShape())
}


def finish(script: Script) -> str:
    """The finish reason that the script ends with."""
    return "tool_calls" if script.tool_calls and script.finish == "stop" else script.finish


def words(text: str) -> int:
    """Tokens, the way the double counts them: one a word."""
    return len(text.split())


def _counts(script: Script, tokens: int) -> Json:
    return {
        "prompt_tokens": script.prompt_tokens,
        "completion_tokens": tokens,
        "total_tokens": script.prompt_tokens + tokens,
    }


def _timings(script: Script, tokens: int) -> Json:
    new = script.prompt_tokens - script.cached_tokens
    return {
        "cache_n": script.cached_tokens,
        "prompt_n": new,
        "prompt_ms": float(new),
        "prompt_per_token_ms": 1.0,
        "prompt_per_second": 1000.0,
        "predicted_n": tokens,
        "predicted_ms": float(tokens),
        "predicted_per_token_ms": 1.0,
        "predicted_per_second": 1000.0,
    }
