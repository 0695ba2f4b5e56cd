"""Pictures of a chat on their way to an engine: in JSON, as the media process wrote them.

A body is encoded with a mark where each picture's URL belongs, and cut there. The mark is a byte
that no JSON can hold, so nothing that a caller says is ever taken for one.
"""

from collections.abc import Callable, Iterator
from itertools import count

import msgspec
from msgspec import Raw

from oxlo.engines.dialect import Decided
from oxlo.engines.parts import FilePart, Parts
from oxlo.wire.chat import ChatRequest
from oxlo.wire.shapes.messages import Message, Part, Url

_MARK = b"\0"
_LIST = ord("[")
_EMPTY = Raw(b'""')

_encode = msgspec.json.Encoder().encode
_raws = msgspec.json.Decoder(list[Raw])
_parts = msgspec.json.Decoder(list[Part])
_url = msgspec.json.Decoder(Url)


def marked(request: ChatRequest) -> list[Message]:
    """The messages with marks for pictures; as they came where there is none."""
    if not request.media():
        return request.messages
    numbers = count()
    return [_replaced(message, lambda part: _mark(part, numbers)) for message in request.messages]


def left_out(request: ChatRequest) -> list[Message]:
    """The messages without their pictures, which no text's cap counts (D18)."""
    if not request.media():
        return request.messages
    return [_replaced(message, lambda part: None) for message in request.messages]


def spliced(body: bytes, decided: Decided) -> bytes | Parts:
    """A body with its marks replaced by the call's files."""
    if not decided.files:
        return body
    pieces: list[bytes | FilePart] = []
    for at, piece in enumerate(body.split(_MARK)):
        if at % 2:
            file = decided.files[int(piece)]
            pieces.append(FilePart(file.path, file.size))
        else:
            pieces.append(piece)
    return Parts(tuple(pieces))


def _mark(part: Part, numbers: Iterator[int]) -> Raw:
    """A picture's part, its fields those that we know, with a mark for a URL."""
    assert isinstance(part.image_url, Raw)
    detail = _url.decode(part.image_url).detail
    shown: dict[str, Raw | str] = {"url": Raw(b'"%b%d%b"' % (_MARK, next(numbers), _MARK))}
    if detail is not None:
        shown["detail"] = detail
    return Raw(_encode({"type": "image_url", "image_url": shown}))


def _replaced(message: Message, picture: Callable[[Part], Raw | None]) -> Message:
    content = message.content
    if not isinstance(content, Raw) or memoryview(content)[0] != _LIST:
        return message
    kept = [
        picture(part) if part.type == "image_url" else raw
        for raw, part in zip(_raws.decode(content), _parts.decode(content), strict=True)
    ]
    told = [raw for raw in kept if raw is not None]
    said = Raw(_encode(told)) if told else _EMPTY
    return msgspec.structs.replace(message, content=said)
