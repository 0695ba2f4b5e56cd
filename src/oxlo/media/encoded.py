"""Base64, with or without the prefix of a data URI."""

import base64
import binascii
import re

from oxlo.wire.decode import invalid

_HEAD = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w-]+=[^;,]*)*(;base64)?,", re.IGNORECASE)
_SPACE = re.compile(r"\s+")
#: A name such as ./photo.jpg: base64 has no dots.
_FILE_NAME = re.compile(r"[^\n]{1,255}\.\w{1,5}")
_NOT_SENT = (
    "this is the name of a file on your side, which cannot be read from here. Send the file "
    "itself, as 'data:image/png;base64,' and its base64."
)


def decoded(text: str, param: str) -> tuple[bytes, str]:
    """The bytes, and the media type of a data URI or "". Raises BadRequest."""
    kind, data = _split(text, param)
    try:
        content = base64.b64decode(_SPACE.sub("", data), validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid(param, f"this is not valid base64 ({_why(error)}).") from None
    if not content:
        raise invalid(param, "there is nothing in it.")
    return content, kind


def _split(text: str, param: str) -> tuple[str, str]:
    if text[:5].lower() != "data:":
        if _FILE_NAME.fullmatch(text):
            raise invalid(param, _NOT_SENT)
        return "", text
    head = _HEAD.match(text)
    if head is None or not head[2]:
        raise invalid(param, "a data URI has to begin like 'data:image/png;base64,'.")
    return (head[1] or "").lower(), text[head.end() :]


def _why(error: ValueError) -> str:
    if isinstance(error, binascii.Error):
        return str(error).rstrip(".").lower()
    return "it has characters that are none of it"
