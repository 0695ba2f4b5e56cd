"""Chat messages: fields are decoded, contents are forwarded as received."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from msgspec import Raw
from msgspec.structs import astuple

from oxlo.errors import BadRequest
from oxlo.wire.decode import invalid, refused, required, sent
from oxlo.wire.media import Medium
from oxlo.wire.shapes.messages import Message, Part, Url

_NOTHING: Final[frozenset[str]] = frozenset()
_USUAL: Final = frozenset({"system", "user", "assistant"})
_DEVELOPER: Final = frozenset({"developer"})
_TOOL: Final = frozenset({"tool"})
_FUNCTION: Final = frozenset({"function"})
_REFUSAL: Final = frozenset({"refusal"})


class Summary:
    """What admission needs to know about the messages."""

    __slots__ = ("count", "kinds", "pictures", "text_bytes", "unusual")

    def __init__(
        self,
        count: int,
        text_bytes: int,
        kinds: frozenset[str],
        unusual: frozenset[str],
        pictures: tuple[Medium, ...] = (),
    ) -> None:
        self.count = count
        #: Upper bound of the prompt's text in bytes; images do not count (D18).
        self.text_bytes = text_bytes
        #: Kinds of content parts; `refusal` also if it stands alone.
        self.kinds = kinds
        #: Features that not every chat template knows: `developer` (role), `tool` (calls, results),
        #: `function` (their legacy format).
        self.unusual = unusual
        #: Images, in order.
        self.pictures = pictures


_encode: Final = msgspec.json.Encoder().encode
_parts: Final = msgspec.json.Decoder(list[Part])
_url = msgspec.json.Decoder(Url)


def turns(messages: Iterable[Message]) -> Iterator[bytes]:
    """The messages as bytes; equal prompts give equal bytes."""
    for message in messages:
        content = message.content
        if isinstance(content, Raw) and not message.tool_calls:
            yield b"%b:%b" % (message.role.encode(), bytes(content))
        else:
            yield _encode(message)


def summarise(messages: list[Message]) -> Summary:
    """Validate and summarise messages. Raises BadRequest that names the message."""
    if not messages:
        raise invalid("messages", "give at least one message.")
    kinds = unusual = _NOTHING
    pictures: list[Medium] = []
    size = 0
    for index, message in enumerate(messages):
        role, content, calls, call_id, name, refusal, thoughts, called = astuple(message)
        said = memoryview(content) if isinstance(content, Raw) else _NOT_SAID
        beside = calls or name or refusal or thoughts or called
        size += len(_encode(message)) if beside else len(said)
        if called or role == "function":
            unusual |= _FUNCTION
            if role == "function" and not name:
                raise required(f"messages[{index}].name")
        elif calls or role not in _USUAL:
            unusual |= _DEVELOPER if role == "developer" else _TOOL
            if role == "tool" and not call_id:
                raise required(f"messages[{index}].tool_call_id")
        if said[0] != _STRING:
            parts = _parts_of(message, index)
            kinds |= {part.type for part in parts} if parts or not refusal else _REFUSAL
            size -= sum(map(_picture_bytes, parts))
            pictures += _pictures(parts, message, f"messages[{index}].content")
    return Summary(len(messages), size, kinds, unusual, tuple(pictures))


#: First bytes of a JSON string, array, and null.
_STRING: Final = 0x22
_LIST: Final = 0x5B
_OBJECT: Final = 0x7B
_NULL: Final = 0x6E
_NOT_SAID: Final = memoryview(b"null")


def _parts_of(message: Message, index: int) -> list[Part]:
    """The content parts; empty if there is no content and none is required. Raises BadRequest."""
    content, where = message.content, f"messages[{index}].content"
    first = memoryview(content)[0] if isinstance(content, Raw) else _NULL
    if first == _LIST and isinstance(content, Raw):
        parts = _read_parts(content, where)
        _check_refusals(parts, message, where)
        return parts
    if first != _NULL:
        raise invalid(where, f"expected a string or a list of parts, got {_kind(first)}.")
    _check_empty(message, where)
    return []


def _kind(first: int) -> str:
    """The type of another JSON value, by its first byte."""
    if first == _OBJECT:
        return "object"
    return "boolean" if first in b"tf" else "number"


def _check_empty(message: Message, where: str) -> None:
    """Only an assistant's message may have no content, beside calls or a refusal.

    A function's result may be null in OpenAI's old spelling.
    """
    if message.role == "function":
        return
    instead = message.tool_calls or message.function_call or message.refusal
    if message.role != "assistant" or not instead:
        raise required(where, "It is a string or a list of parts.")


def _read_parts(content: Raw, where: str) -> list[Part]:
    try:
        parts = _parts.decode(content)
    except msgspec.ValidationError as error:
        raise _bad_part(error, where) from None
    if not parts:
        raise invalid(where, "give at least one part.")
    for index, part in enumerate(parts):
        _check_part(part, f"{where}[{index}]")
    return parts


#: Kinds of parts in other APIs, as msgspec quotes them, and ours.
_RESPELT: Final = {
    "'input_text'": "'text'",
    "'output_text'": "'text'",
    "'input_image'": "'image_url'",
    "'image'": "'image_url'",
    "'input_file'": "'file'",
}


def _bad_part(error: msgspec.ValidationError, where: str) -> BadRequest:
    worded = refused(error, list[Part], where)
    for other, ours in _RESPELT.items():
        if worded.param and str(error).startswith(f"Invalid enum value {other}"):
            return invalid(worded.param, f"{other} is another API's name; here it is {ours}.")
    return worded


def _check_part(part: Part, where: str) -> None:
    if part.type == "text" and part.text is None:
        raise required(f"{where}.text")
    if part.type == "image_url" and not sent(part.image_url):
        raise required(f"{where}.image_url")


def _check_refusals(parts: list[Part], message: Message, where: str) -> None:
    for index, part in enumerate(parts):
        if part.type == "refusal" and (message.role != "assistant" or part.refusal is None):
            raise invalid(
                f"{where}[{index}]",
                "a refusal is a text, 'refusal', in a message with the role 'assistant'.",
            )


def _pictures(parts: list[Part], message: Message, where: str) -> list[Medium]:
    """The images of a message. Raises BadRequest."""
    shown: list[Medium] = []
    for index, part in enumerate(parts):
        if part.type != "image_url" or not sent(part.image_url):
            continue
        at = f"{where}[{index}].image_url"
        if message.role != "user":
            raise invalid(f"{where}[{index}]", "images go in messages with the role 'user'.")
        url = _read_url(part.image_url, at)
        shown.append(Medium(source=url.url, kind="image", param=f"{at}.url", data_uri=True))
    return shown


def _read_url(raw: Raw, where: str) -> Url:
    try:
        return _url.decode(raw)
    except msgspec.ValidationError as error:
        raise refused(error, Url, where) from None


def _picture_bytes(part: Part) -> int:
    if part.type != "image_url" or not sent(part.image_url):
        return 0
    return memoryview(part.image_url).nbytes
