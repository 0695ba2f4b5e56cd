"""Responses in OpenAI's format, from which the other formats are derived."""

from typing import ClassVar

from oxlo.testing.script import Script
from oxlo.testing.shapes.call import Call, Json, count_tokens, finish
from oxlo.testing.shapes.load import Load


class OpenAIShape:
    """OpenAI's format; subclasses override what differs."""

    name: ClassVar[str] = "openai"
    owner: ClassVar[str] = "openai"
    first_delta: ClassVar[Json] = {"role": "assistant", "content": "", "refusal": None}
    last_delta: ClassVar[Json] = {}
    tool_id: ClassVar[str] = "call_"
    #: Sent after an error event in a stream.
    after_error: ClassVar[bytes] = b""

    def envelope(self, call: Call, kind: str, choices: list[Json]) -> Json:
        """A response around choices."""
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
        """The message of a chat response."""
        calls = {"tool_calls": self.calls(script)} if script.tool_calls else {}
        content = None if script.tool_calls else text
        thoughts = self.reasoning(script.reasoning) if script.reasoning else {}
        return {
            "role": "assistant", "content": content, **thoughts, **calls,
            "refusal": None, "annotations": [],
        }  # fmt: skip

    def calls(self, script: Script) -> list[Json]:
        """The tool calls of a response."""
        return [
            {
                "id": f"{self.tool_id}{i}",
                "type": "function",
                "function": {"name": name, "arguments": arguments},
            }
            for i, (name, arguments) in enumerate(script.tool_calls)
        ]

    def choice(self, call: Call, index: int, script: Script, text: str) -> Json:
        """A choice of a response."""
        ends = {"logprobs": None, "finish_reason": finish(script)}
        if call.chat:
            return {"index": index, "message": self.message(script, text), **ends}
        return {"text": text, "index": index, **ends}

    def whole(self, call: Call, script: Script, text: str) -> Json:
        """A response that is not streamed."""
        choices = [self.choice(call, i, script, text) for i in range(call.n)]
        reply = self.envelope(call, call.kind, choices)
        return reply | {"usage": self.usage(script, count_tokens(text) * call.n)}

    def chunk(self, call: Call, index: int, delta: Json, end: str | None) -> Json:
        """A stream event; `delta` is `{"content": text}` for the legacy endpoint too."""
        ends = {"logprobs": None, "finish_reason": end}
        if call.chat:
            choice = {"index": index, "delta": delta, **ends}
        else:
            choice = {"text": delta.get("content") or "", "index": index, **ends}
        kind = "chat.completion.chunk" if call.chat else "text_completion"
        usage = {"usage": None} if call.include_usage else {}
        return self.envelope(call, kind, [choice]) | usage

    def usage_chunk(self, call: Call, script: Script, tokens: int) -> Json | None:
        """The usage event before `[DONE]`, if requested."""
        if not call.include_usage:
            return None
        kind = "chat.completion.chunk" if call.chat else "text_completion"
        return self.envelope(call, kind, []) | {"usage": self.usage(script, tokens)}

    def running_usage(self, call: Call, script: Script, tokens: int) -> Json:
        """Usage in the middle of a stream, for engines that send it."""
        return {}

    def usage(self, script: Script, tokens: int) -> Json:
        """The usage object."""
        return _counts(script, tokens) | {
            "prompt_tokens_details": {"cached_tokens": script.cached_tokens, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": count_tokens(script.reasoning),
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }

    def reasoning(self, text: str) -> Json:
        """The reasoning fields of a delta or message."""
        return {"reasoning_content": text}

    def tool_deltas(self, script: Script) -> list[Json]:
        """Deltas of tool calls: the name, then the arguments in two fragments."""
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
        """An error response."""
        kind = "invalid_request_error" if status < 500 else "server_error"
        return {"error": {"message": message, "type": kind, "param": None, "code": None}}

    def side(self, path: str, load: Load, tokens: int) -> Json | list[Json] | None:
        """The response of any other path, None if unknown; `tokens` is the body's token count."""
        return self.models(load) if path == "/v1/models" else None

    def metrics(self, load: Load) -> str | None:
        """The metrics at /metrics, None if there are none."""
        return None

    def models(self, load: Load) -> Json:
        """The model list."""
        entry = {"id": load.model, "object": "model", "created": 1, "owned_by": self.owner}
        return {"object": "list", "data": [entry]}


def _counts(script: Script, tokens: int) -> Json:
    return {
        "prompt_tokens": script.prompt_tokens,
        "completion_tokens": tokens,
        "total_tokens": script.prompt_tokens + tokens,
    }
