"""Image streams: partial images, then the finished one."""

from typing import Final

import msgspec

from oxlo.engines.dialect import Dialect
from oxlo.engines.dialects import failures
from oxlo.engines.dialects.events import Cutter
from oxlo.engines.dialects.shapes.typed import ImageEvent
from oxlo.engines.dialects.typed import TypedEvents
from oxlo.errors import ApiError, EngineFailed
from oxlo.wire.decode import sent, unsupported

#: Limit on one event, bytes: twice the base64 of a 2048 x 2048 PNG of noise.
_MOST: Final = 32 << 20
#: How base64 of a PNG, JPEG or WebP file begins.
_FILES: Final = (b'"iVBORw0KGgo', b'"/9j/', b'"UklGR')

_image_event: Final = msgspec.json.Decoder(ImageEvent)


class ImageEvents(TypedEvents):
    """Forwards an engine's images as OpenAI's named events."""

    __slots__ = ("_dialect", "_partial")

    def __init__(self, kind: str, dialect: Dialect) -> None:
        """`kind` is image_generation or image_edit."""
        super().__init__(f"{kind}.completed")
        self._cutter = Cutter(_MOST)
        self._partial = f"{kind}.partial_image"
        self._dialect = dialect

    def feed(self, data: bytes) -> bytes:
        """Translate one read. A server without image streams answers with a whole response."""
        if not self.started and not self._cutter.held and data.startswith(b"{"):
            self.error = unsupported("stream", "this model only sends finished images.")
            return b""
        return super().feed(data)

    def _event(self, payload: bytes) -> bytes:
        image = self._decoded(payload)
        if image.type not in (self._partial, self._last):
            return b""
        if not isinstance(image.b64_json, msgspec.Raw) or not _is_image(image.b64_json):
            raise EngineFailed
        shown = b"event: %b\ndata: %b\n\n" % (image.type.encode(), payload)
        if image.type == self._last:
            self.hold(shown, image.usage)
            return b""
        self.started = True
        return shown

    def _decoded(self, payload: bytes) -> ImageEvent:
        try:
            image = _image_event.decode(payload)
        except failures.UNREADABLE:
            raise self._failure(payload) from None
        if sent(image.error):
            raise self._failure(payload)
        return image

    def _failure(self, payload: bytes) -> ApiError:
        """The engine's error, which the client may have caused."""
        return self._dialect.error(failures.status_of(payload), payload)


def _is_image(base64: msgspec.Raw) -> bool:
    """Checks only the first bytes, because images are large."""
    return bytes(memoryview(base64)[:12]).startswith(_FILES)
