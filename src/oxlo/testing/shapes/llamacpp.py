"""Responses in llama.cpp's format."""
# ruff: noqa: D102 - overrides are documented where they are first defined

from typing import ClassVar

from oxlo.testing.script import Script
from oxlo.testing.shapes.call import Call, Json, count_tokens, finish
from oxlo.testing.shapes.load import Load
from oxlo.testing.shapes.openai import OpenAIShape


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
        return super().whole(call, script, text) | {"timings": _timings(script, count_tokens(text))}

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

    def side(self, path: str, load: Load, tokens: int) -> Json | list[Json] | None:
        if path == "/health":
            return {"status": "ok"}
        if path == "/slots":
            return [_slot(number, load) for number in range(load.slots)]
        if path == "/v1/chat/completions/input_tokens":
            return {"input_tokens": tokens, "object": "response.input_tokens"}
        if path == "/tokenize":
            return {"tokens": list(range(tokens))}
        return super().side(path, load, tokens)

    def metrics(self, load: Load) -> str:
        return (
            f"llamacpp:n_decode_total {load.progress}\n"
            f"llamacpp:prompt_tokens_total 0\n"
            f"llamacpp:requests_processing {load.running}\n"
            f"llamacpp:requests_deferred {load.waiting}\n"
        )


def _slot(number: int, load: Load) -> Json:
    return {
        "id": number,
        "n_ctx": load.context_length,
        "is_processing": number < load.running,
        "n_prompt_tokens_processed": 0,
        "next_token": [{"n_decoded": load.progress}],
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
