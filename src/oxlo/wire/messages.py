"""The messages of a chat: checked lightly, passed on as the bytes that they came as."""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from oxlo.wire.decode import invalid, refused, required, sent

Role = Literal["system", "developer", "user", "assistant", "tool", "function"]
PartKind = Literal["text", "image_url", "input_audio", "file", "refusal"]

_NOTHING: frozenset[str] = frozenset()
_USUAL = frozenset({"system", "user", "assistant"})
_DEVELOPER, _TOOL = frozenset({"developer"}), frozenset({"tool"})


class _Called(msgspec.Struct):
    name: str
    arguments: str


class _Call(msgspec.Struct):
    id: str
    function: _Called
    type: Literal["function"] = "function"


class _Message(msgspec.Struct):
    role: Role
    content: msgspec.Raw = msgspec.Raw(b"null")
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None
    name: str | None = None
    refusal: str | None = None
    function_call: _Called | None = None


class _Url(msgspec.Struct):
    url: str
    detail: str | None = None


class _Part(msgspec.Struct):
    type: PartKind
    text: str | None = None
    image_url: msgspec.Raw | UnsetType = UNSET


class Summary(msgspec.Struct, frozen=True):
    """What admission needs to know about messages."""

    count: int
    #: Upper bound of the prompt's bytes of text; pictures are none (D18).
    text_bytes: int
    #: Kinds of the parts, where messages have parts.
    kinds: frozenset[str]
    #: What not every model's template knows: `developer` (the role), `tool` (calls, results).
    unusual: frozenset[str]


_messages = msgspec.json.Decoder(list[_Message])
_parts = msgspec.json.Decoder(list[_Part])
_url = msgspec.json.Decoder(_Url)


def summarise(raw: msgspec.Raw) -> Summary:
    """Check messages and sum them up. Raises BadRequest naming the message."""
    try:
        messages = _messages.decode(raw)
    except msgspec.ValidationError as error:
        raise refused(error, list[_Message], "messages") from None
    if not messages:
        raise invalid("messages", "give at least one message.")
    kinds = unusual = _NOTHING
    size = memoryview(raw).nbytes
    for index, message in enumerate(messages):
        if message.tool_calls or message.role not in _USUAL:
            unusual |= _DEVELOPER if message.role == "developer" else _TOOL
        parts = _parts_of(message, index)
        if parts:
            kinds |= {part.type for part in parts}
            size -= sum(map(_picture_bytes, parts))
    return Summary(len(messages), size, kinds, unusual)


def _parts_of(message: _Message, index: int) -> list[_Part] | None:
    """Check one message; returns its parts, where it has parts."""
    if message.role == "tool" and not message.tool_call_id:
        raise required(f"messages[{index}].tool_call_id")
    content = message.content
    first = memoryview(content)[0]
    if first == _STRING:
        return None
    where = f"messages[{index}].content"
    if first == _LIST:
        return _read_parts(content, where)
    if first != _NULL:
        raise invalid(where, "expected a string or a list of parts.")
    _check_empty(message, where)
    return None


#: How a JSON value begins that is a string, a list, or null.
_STRING, _LIST, _NULL = b'"[n'


def _check_empty(message: _Message, where: str) -> None:
    """Only an assistant's message may have no content, beside calls or a refusal."""
    instead = message.tool_calls or message.function_call or message.refusal is not None
    if message.role != "assistant" or not instead:
        raise invalid(where, "expected a string or a list of parts, got null.")


def _read_parts(content: msgspec.Raw, where: str) -> list[_Part]:
    try:
        parts = _parts.decode(content)
    except msgspec.ValidationError as error:
        raise refused(error, list[_Part], where) from None
    if not parts:
        raise invalid(where, "give at least one part.")
    for index, part in enumerate(parts):
        _check_part(part, f"{where}[{index}]")
    return parts


def _check_part(part: _Part, where: str) -> None:
    if part.type == "text" and part.text is None:
        raise required(f"{where}.text")
    if part.type != "image_url":
        return
    if not sent(part.image_url):
        raise required(f"{where}.image_url")
    try:
        _url.decode(part.image_url)
    except msgspec.ValidationError as error:
        raise refused(error, _Url, f"{where}.image_url") from None


def _picture_bytes(part: _Part) -> int:
    if part.type != "image_url" or not sent(part.image_url):
        return 0
    return memoryview(part.image_url).nbytes
