"""Answers in OpenAI's old spelling of tools, `function_call`, for calls that came in it.

A dialect's answer is in the new one; here its first tool call becomes the function's. Requests are
`wire/functions.py`.
"""

from typing import Any, Final

import msgspec

from oxlo.engines.dialect import Answer, Translator
from oxlo.engines.dialects.chunks import read_chunk
from oxlo.engines.dialects.events import END, encoded, payload_of
from oxlo.errors import ApiError

_any: Final = msgspec.json.Decoder(dict[str, Any])
_encode: Final = msgspec.json.Encoder().encode
#: What is in an event to be read: inside of what is said, quotes are escaped.
_SIGN: Final = b'"tool_calls"'


def answer(told: Answer) -> Answer:
    """The whole reply, spelled so. Raises ApiError when it makes no sense."""
    if _SIGN not in told.body:
        return told
    reply = _read(told.body)
    for choice in reply["choices"]:
        _respell(choice, choice.get("message") or {})
    return Answer(_encode(reply), told.usage, _finish(told.finish), told.head)


class FunctionStream(Translator):
    """A dialect's stream, spelled so; events that tell of no call are left as they are."""

    __slots__ = ("_told",)

    def __init__(self, told: Translator) -> None:
        super().__init__()
        self._told = told
        self._follow()

    def _follow(self) -> None:
        """Everything but the spelling is as the dialect has it."""
        told = self._told
        self.head, self.ending, self.usage = told.head, told.ending, told.usage
        self.pieces = told.pieces
        self.started, self.done, self.error = told.started, told.done, told.error
        self.finish = _finish(told.finish)

    def feed(self, data: bytes) -> bytes:
        """Translate one read."""
        if self.error is not None:
            return b""
        out = self._told.feed(data)
        self._follow()
        if _SIGN not in out:
            return out
        shown: list[bytes] = []
        try:
            _add(out, shown)
        except ApiError as error:
            self.error = error
        return b"".join(shown)

    def ended(self) -> bool:
        """Whether the stream is whole, now that the engine's reply is over."""
        whole = self._told.ended()
        self._follow()
        return whole

    def close(self) -> bytes:
        """Events held back."""
        return self._told.close()


def _add(out: bytes, shown: list[bytes]) -> None:
    """Add what each event becomes to `shown`, one by one. Raises ApiError."""
    for event in out.split(END)[:-1]:
        if _SIGN in event:
            shown.append(_event(event))
        else:
            shown.append(event + END)


def _event(event: bytes) -> bytes:
    """One event; nothing of one that tells of a further call only. Raises ApiError."""
    chunk = _read(payload_of(event))
    for choice in chunk["choices"]:
        _respell(choice, choice.get("delta") or {})
    chunk["choices"] = [c for c in chunk["choices"] if c.get("delta") or c.get("finish_reason")]
    return encoded(chunk) if chunk["choices"] else b""


def _read(payload: bytes) -> dict[str, Any]:
    """All of a chunk or reply, whose calls have the right types. Raises ApiError."""
    read_chunk(payload)
    chunk: dict[str, Any] = _any.decode(payload)
    return chunk


def _respell(choice: dict[str, Any], said: dict[str, Any]) -> None:
    """Put the first call, or a piece of it, in the place of the calls."""
    choice["finish_reason"] = _finish(choice.get("finish_reason"))
    for piece in said.pop("tool_calls", None) or ():
        if not piece.get("index"):
            told = piece.get("function") or {}
            said["function_call"] = {name: text for name, text in told.items() if text is not None}
            return


def _finish(told: Any) -> Any:
    return "function_call" if told == "tool_calls" else told
