"""Moving base64 in the fields of large JSON bodies to files."""

from collections.abc import Iterable

import msgspec

from oxlo.media.encoded import decoded
from oxlo.media.files import Files
from oxlo.wire.decode import check_text, too_deep
from oxlo.wire.malformed import malformed
from oxlo.wire.media import Unpacked

#: Shorter strings stay in place: URLs, and images of a few pixels.
SHORTEST = 8 * 1024

_raw = msgspec.json.Decoder(msgspec.Raw)
_list = msgspec.json.Decoder(list[msgspec.Raw])
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text = msgspec.json.Decoder(str)
_encode = msgspec.json.Encoder().encode
_OBJECT, _LIST, _STRING = b'{["'


def unpack(body: bytes, fields: Iterable[str], files: Files) -> Unpacked:
    """Take files out of `fields`, such as `messages[].content[].image_url.url`.

    A field that is missing or of another type is left for the request's validation.
    Raises BadRequest for what is not JSON, and for broken base64.
    """
    check_text(body)
    try:
        raw = _raw.decode(body.strip())
        for field in fields:
            raw = _without(raw, _steps(field), "", files)
    except msgspec.DecodeError as error:
        raise malformed(body, error) from None
    except RecursionError:
        raise too_deep() from None
    return Unpacked(tuple(files.listed), raw) if files.listed else Unpacked(())


def _steps(field: str) -> tuple[str, ...]:
    """`messages[].url` as ("messages", "[]", "url")."""
    return tuple(step for step in field.replace("[]", ".[]").split(".") if step)


def _without(raw: msgspec.Raw, steps: tuple[str, ...], where: str, files: Files) -> msgspec.Raw:
    """The value with the strings at the end of `steps` replaced."""
    first = memoryview(raw)[0]
    if not steps:
        return _replaced(raw, where, files) if first == _STRING else raw
    if steps[0] == "[]":
        return _list_without(raw, steps[1:], where, files) if first == _LIST else raw
    return _object_without(raw, steps, where, files) if first == _OBJECT else raw


def _list_without(
    raw: msgspec.Raw, steps: tuple[str, ...], where: str, files: Files
) -> msgspec.Raw:
    old = _list.decode(raw)
    new = [_without(item, steps, f"{where}[{n}]", files) for n, item in enumerate(old)]
    changed = any(a is not b for a, b in zip(old, new, strict=True))
    return msgspec.Raw(_encode(new)) if changed else raw


def _object_without(
    raw: msgspec.Raw, steps: tuple[str, ...], where: str, files: Files
) -> msgspec.Raw:
    name, found = steps[0], _object.decode(raw)
    old = found.get(name)
    if old is None:
        return raw
    new = _without(old, steps[1:], f"{where}.{name}".lstrip("."), files)
    return raw if new is old else msgspec.Raw(_encode(found | {name: new}))


def _replaced(raw: msgspec.Raw, where: str, files: Files) -> msgspec.Raw:
    text = _text.decode(raw) if memoryview(raw).nbytes > SHORTEST else ""
    if not text or text[:4].lower() == "http":
        return raw
    return msgspec.Raw(_encode(files.store(*decoded(text, where))))
