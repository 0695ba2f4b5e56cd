"""Accumulating deltas to the message of a whole response."""

from typing import Any

from msgspec import UNSET

from oxlo.engines.dialects.shapes.deltas import CallDelta, Delta, FunctionDelta


class Message:
    """A message, accumulated from deltas."""

    def __init__(self) -> None:
        self.content = ""
        self.refusal = ""
        self.reasoning = ""
        self.calls: dict[int, dict[str, Any]] = {}

    def add(self, delta: Delta) -> None:
        """Add one delta."""
        self.content += delta.content or ""
        self.refusal += delta.refusal or ""
        self.reasoning += delta.reasoning_content or ""
        for piece in delta.tool_calls or ():
            self._add_call(piece)

    def _add_call(self, piece: CallDelta) -> None:
        function = piece.function
        assert isinstance(function, FunctionDelta)
        if piece.id is not UNSET:
            named = {"name": function.name, "arguments": ""}
            self.calls[piece.index] = {"id": piece.id, "type": "function", "function": named}
        self.calls[piece.index]["function"]["arguments"] += function.arguments or ""

    def as_dict(self) -> dict[str, Any]:
        """The message as OpenAI sends it; empty content is null beside tool calls or a refusal."""
        instead = self.calls or self.refusal
        message: dict[str, Any] = {
            "role": "assistant",
            "content": None if instead and not self.content else self.content,
            "refusal": self.refusal or None,
            "annotations": [],
        }
        if self.reasoning:
            message["reasoning_content"] = self.reasoning
        if self.calls:
            message["tool_calls"] = [call for _, call in sorted(self.calls.items())]
        return message
