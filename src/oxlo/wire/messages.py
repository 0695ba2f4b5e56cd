"""The messages of a chat: checked lightly, passed on as the bytes that they came as."""

import re
from typing import Literal

import msgspec

from oxlo.errors import BadRequest
from oxlo.wire.decode import invalid, refused

Role = Literal["system", "developer", "user", "assistant", "tool", "function"]
PartKind = Literal["text", "image_url", "input_audio", "file", "refusal"]

_NULL = b"null"
#: The base64 of a data URL: it is no text, and does not count as any (D18).
_DATA_URL = re.compile(rb'"data:[^"]*"')


class _Head(msgspec.Struct, rename={"raw_content": "content"}):
    role: Role
    raw_content: msgspec.Raw = msgspec.Raw(b"")
    tool_calls: msgspec.Raw = msgspec.Raw(b"")
    tool_call_id: str | None = None
    name: str | None = None
    refusal: str | None = None
    function_call: msgspec.Raw = msgspec.Raw(b"")


class _Part(msgspec.Struct):
    type: PartKind
    text: str | None = None


class Summary(msgspec.Struct, frozen=True):
    """What admission needs to know about messages."""

    count: int
    #: Upper bound of the prompt's bytes of text.
    text_bytes: int
    has_images: bool
    has_audio: bool


_heads = msgspec.json.Decoder(list[_Head])
_parts = msgspec.json.Decoder(list[_Part])


def summarise(raw: msgspec.Raw) -> Summary:
    """Check messages and sum them up. Raises BadRequest naming the message."""
    data = bytes(raw)
    try:
        heads = _heads.decode(data)
    except msgspec.ValidationError as error:
        raise _locate(data, error) from None
    if not heads:
        raise invalid("messages", "give at least one message.")
    kinds: set[str] = set()
    for index, head in enumerate(heads):
        kinds |= _check(head, index)
    size = len(data)
    if "image_url" in kinds or "input_audio" in kinds:
        size -= sum(len(found) for found in _DATA_URL.findall(data))
    return Summary(len(heads), size, "image_url" in kinds, "input_audio" in kinds)


def _check(head: _Head, index: int) -> set[str]:
    """Check one message; returns the kinds of its parts."""
    content = bytes(head.raw_content)
    where = f"messages[{index}]"
    if head.role == "tool" and not head.tool_call_id:
        raise BadRequest(
            f"Missing parameter '{where}.tool_call_id': a tool's result names its call.",
            param=f"{where}.tool_call_id",
            code="missing_required_parameter",
        )
    if not content or content == _NULL:
        _check_empty(head, where)
        return set()
    if content.startswith(b"["):
        return _check_parts(content, where)
    if not content.startswith(b'"'):
        raise invalid(f"{where}.content", "expected a string or a list of parts.")
    return set()


def _check_empty(head: _Head, where: str) -> None:
    """Only an assistant's message may have no content, beside calls or a refusal."""
    calls = bytes(head.tool_calls) not in (b"", _NULL, b"[]")
    function = bytes(head.function_call) not in (b"", _NULL)
    if head.role == "assistant" and (calls or function or head.refusal is not None):
        return
    raise invalid(f"{where}.content", "expected a string or a list of parts, got null.")


def _check_parts(content: bytes, where: str) -> set[str]:
    try:
        parts = _parts.decode(content)
    except msgspec.ValidationError as error:
        raise refused(error, f"{where}.content") from None
    if not parts:
        raise invalid(f"{where}.content", "give at least one part.")
    for index, part in enumerate(parts):
        if part.type == "text" and part.text is None:
            raise invalid(f"{where}.content[{index}].text", "expected a string, got null.")
    return {part.type for part in parts}


def _locate(data: bytes, error: msgspec.ValidationError) -> BadRequest:
    """msgspec does not say which message it was: look at them one by one."""
    try:
        items = msgspec.json.decode(data, type=list[msgspec.Raw])
    except msgspec.ValidationError:
        return refused(error, "messages")
    for index, item in enumerate(items):
        try:
            msgspec.json.decode(item, type=_Head)
        except msgspec.ValidationError as found:
            return refused(found, f"messages[{index}]")
    return refused(error, "messages")
