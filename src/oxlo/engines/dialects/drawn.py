"""Streams of images: each as it is so far, then the finished one."""

from typing import Final

import msgspec

from oxlo.engines.dialect import Dialect
from oxlo.engines.dialects import failures
from oxlo.engines.dialects.events import Cutter
from oxlo.engines.dialects.shapes.typed import Drawn
from oxlo.engines.dialects.typed import TypedEvents
from oxlo.errors import ApiError, EngineFailed
from oxlo.wire.decode import sent, unsupported

#: Bytes of an event, at most: a PNG of 2048 x 2048 pixels of noise in base64 is half of it.
_MOST: Final = 32 << 20
#: How base64 of a PNG, JPEG or WebP file begins.
_FILES: Final = (b'"iVBORw0KGgo', b'"/9j/', b'"UklGR')

_drawn: Final = msgspec.json.Decoder(Drawn)


class ImageEvents(TypedEvents):
    """Passes an engine's images on under their names, as OpenAI sends them."""

    __slots__ = ("_dialect", "_partial")

    def __init__(self, kind: str, dialect: Dialect) -> None:
        """`kind` is image_generation or image_edit."""
        super().__init__(f"{kind}.completed")
        self._cutter = Cutter(_MOST)
        self._partial = f"{kind}.partial_image"
        self._dialect = dialect

    def feed(self, data: bytes) -> bytes:
        """Translate one read. A server that knows no such streams answers with a whole reply."""
        if not self.started and not self._cutter.held and data.startswith(b"{"):
            self.error = unsupported("stream", "this model only sends finished images.")
            return b""
        return super().feed(data)

    def _event(self, payload: bytes) -> bytes:
        told = self._told(payload)
        if told.type not in (self._partial, self._last):
            return b""
        if not isinstance(told.b64_json, msgspec.Raw) or not _is_image(told.b64_json):
            raise EngineFailed
        shown = b"event: %b\ndata: %b\n\n" % (told.type.encode(), payload)
        if told.type == self._last:
            self.hold(shown, told.usage)
            return b""
        self.started = True
        return shown

    def _told(self, payload: bytes) -> Drawn:
        try:
            told = _drawn.decode(payload)
        except failures.UNREADABLE:
            raise self._failure(payload) from None
        if sent(told.error):
            raise self._failure(payload)
        return told

    def _failure(self, payload: bytes) -> ApiError:
        """What the engine says, which may be of the caller's making."""
        return self._dialect.error(failures.status_of(payload), payload)


def _is_image(base64: msgspec.Raw) -> bool:
    """By its beginning: it is too much to be looked through here."""
    return bytes(memoryview(base64)[:12]).startswith(_FILES)
