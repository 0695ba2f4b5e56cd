"""Responses in OpenAI's legacy format of tools, `function_call`, for requests that used it.

Dialects answer with `tool_calls`; here the first one becomes the `function_call`. Requests are
converted in `wire/functions.py`.
"""

from typing import Any, Final

import msgspec

from oxlo.engines.dialect import Answer, Translator
from oxlo.engines.dialects.chunks import read_chunk
from oxlo.engines.dialects.events import END, encoded, payload_of
from oxlo.errors import ApiError

_any: Final = msgspec.json.Decoder(dict[str, Any])
_encode: Final = msgspec.json.Encoder().encode
#: Marks events to convert; inside a text the quotes would be escaped.
_KEY: Final = b'"tool_calls"'


def answer(modern: Answer) -> Answer:
    """Convert a whole response. Raises ApiError if it is malformed."""
    if _KEY not in modern.body:
        return modern
    reply = _read(modern.body)
    for choice in reply["choices"]:
        _convert(choice, choice.get("message") or {})
    return Answer(_encode(reply), modern.usage, _finish(modern.finish), modern.head)


class FunctionStream(Translator):
    """Converts a dialect's stream; events without tool calls pass through."""

    __slots__ = ("_inner",)

    def __init__(self, inner: Translator) -> None:
        super().__init__()
        self._inner = inner
        self._follow()

    def _follow(self) -> None:
        """Copy the state of the dialect's translator."""
        inner = self._inner
        self.head, self.ending, self.usage = inner.head, inner.ending, inner.usage
        self.pieces = inner.pieces
        self.started, self.done, self.error = inner.started, inner.done, inner.error
        self.finish = _finish(inner.finish)

    def feed(self, data: bytes) -> bytes:
        """Translate one read."""
        if self.error is not None:
            return b""
        out = self._inner.feed(data)
        self._follow()
        if _KEY not in out:
            return out
        shown: list[bytes] = []
        try:
            _add(out, shown)
        except ApiError as error:
            self.error = error
        return b"".join(shown)

    def ended(self) -> bool:
        """The connection closed. Returns whether the stream is complete."""
        whole = self._inner.ended()
        self._follow()
        return whole

    def close(self) -> bytes:
        """Events held back."""
        return self._inner.close()


def _add(out: bytes, shown: list[bytes]) -> None:
    """Convert each event, adding to `shown`. Raises ApiError."""
    for event in out.split(END)[:-1]:
        if _KEY in event:
            shown.append(_event(event))
        else:
            shown.append(event + END)


def _event(event: bytes) -> bytes:
    """Convert one event; empty if it only carries a second call. Raises ApiError."""
    chunk = _read(payload_of(event))
    for choice in chunk["choices"]:
        _convert(choice, choice.get("delta") or {})
    chunk["choices"] = [c for c in chunk["choices"] if c.get("delta") or c.get("finish_reason")]
    return encoded(chunk) if chunk["choices"] else b""


def _read(payload: bytes) -> dict[str, Any]:
    """Decode a chunk or response after checking its types. Raises ApiError."""
    read_chunk(payload)
    chunk: dict[str, Any] = _any.decode(payload)
    return chunk


def _convert(choice: dict[str, Any], message: dict[str, Any]) -> None:
    """Replace `tool_calls` by the first call, or a piece of it."""
    choice["finish_reason"] = _finish(choice.get("finish_reason"))
    for piece in message.pop("tool_calls", None) or ():
        if not piece.get("index"):
            function = piece.get("function") or {}
            message["function_call"] = {k: v for k, v in function.items() if v is not None}
            return


def _finish(reason: Any) -> Any:
    return "function_call" if reason == "tool_calls" else reason
