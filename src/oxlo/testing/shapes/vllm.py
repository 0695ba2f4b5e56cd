"""Responses in vLLM's format."""
# ruff: noqa: D102 - overrides are documented where they are first defined

from typing import ClassVar

from oxlo.testing.script import Script
from oxlo.testing.shapes.call import Call, Json
from oxlo.testing.shapes.load import Load
from oxlo.testing.shapes.openai import OpenAIShape


class VllmShape(OpenAIShape):
    """vLLM: additional fields, and stream events without unset ones."""

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

    def side(self, path: str, load: Load, tokens: int) -> Json | list[Json] | None:
        if path == "/health":
            return {}
        if path == "/tokenize":
            counts = {"count": tokens, "max_model_len": load.context_length}
            return counts | {"tokens": list(range(tokens)), "token_strs": None}
        return super().side(path, load, tokens)

    def metrics(self, load: Load) -> str:
        label = f'{{engine="0",model_name="{load.model}"}}'
        return (
            f"vllm:generation_tokens_total{label} {load.progress}.0\n"
            f"vllm:prompt_tokens_total{label} 0.0\n"
            f"vllm:num_requests_running{label} {load.running}.0\n"
            f"vllm:num_requests_waiting{label} {load.waiting}.0\n"
        )

    def models(self, load: Load) -> Json:
        listed = super().models(load)
        own = {"root": load.model, "parent": None, "max_model_len": load.context_length}
        listed["data"][0] |= own
        return listed
