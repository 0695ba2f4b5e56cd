"""Sending a chat's images to an engine: as JSON strings that the media process has written.

The body is encoded with a placeholder for each image's URL and then split there. The placeholder is
a byte that JSON cannot contain, so no text of a client is ever taken for one.
"""

from collections.abc import Callable, Iterator
from itertools import count

import msgspec
from msgspec import Raw

from oxlo.engines.dialect import Decided
from oxlo.engines.parts import FilePart, Parts
from oxlo.wire.chat import ChatRequest
from oxlo.wire.shapes.messages import Message, Part, Url

_PLACEHOLDER = b"\0"
_LIST = ord("[")
_EMPTY = Raw(b'""')

_encode = msgspec.json.Encoder().encode
_raws = msgspec.json.Decoder(list[Raw])
_parts = msgspec.json.Decoder(list[Part])
_url = msgspec.json.Decoder(Url)


def marked(request: ChatRequest) -> list[Message]:
    """The messages with placeholders for images; unchanged if there are none."""
    if not request.media():
        return request.messages
    numbers = count()
    return [_replaced(message, lambda part: _mark(part, numbers)) for message in request.messages]


def left_out(request: ChatRequest) -> list[Message]:
    """The messages without their images, which do not count as prompt tokens (D18)."""
    if not request.media():
        return request.messages
    return [_replaced(message, lambda part: None) for message in request.messages]


def spliced(body: bytes, decided: Decided) -> bytes | Parts:
    """The body with its placeholders replaced by the request's files."""
    if not decided.files:
        return body
    pieces: list[bytes | FilePart] = []
    for at, piece in enumerate(body.split(_PLACEHOLDER)):
        if at % 2:
            file = decided.files[int(piece)]
            pieces.append(FilePart(file.path, file.size))
        else:
            pieces.append(piece)
    return Parts(tuple(pieces))


def _mark(part: Part, numbers: Iterator[int]) -> Raw:
    """An image part with only the known fields, and a placeholder for its URL."""
    assert isinstance(part.image_url, Raw)
    detail = _url.decode(part.image_url).detail
    shown: dict[str, Raw | str] = {
        "url": Raw(b'"%b%d%b"' % (_PLACEHOLDER, next(numbers), _PLACEHOLDER))
    }
    if detail is not None:
        # `original` is newer than most engines, which refuse what they do not know.
        shown["detail"] = "high" if detail == "original" else detail
    return Raw(_encode({"type": "image_url", "image_url": shown}))


def _replaced(message: Message, picture: Callable[[Part], Raw | None]) -> Message:
    content = message.content
    if not isinstance(content, Raw) or memoryview(content)[0] != _LIST:
        return message
    kept = [
        picture(part) if part.type == "image_url" else raw
        for raw, part in zip(_raws.decode(content), _parts.decode(content), strict=True)
    ]
    parts = [raw for raw in kept if raw is not None]
    replaced = Raw(_encode(parts)) if parts else _EMPTY
    return msgspec.structs.replace(message, content=replaced)
