"""Storing generated images, and writing the response that the client wants."""

import base64
import binascii
import time
from collections.abc import Callable

import msgspec
import structlog

from oxlo.errors import EngineFailed, InternalError
from oxlo.media import sniff
from oxlo.objects.errors import StorageError
from oxlo.objects.links import Signer
from oxlo.objects.store import Objects
from oxlo.serving.work import Job
from oxlo.wire.media import ImageDelivery, StoredReply

log = structlog.get_logger()

_ENDINGS = {"image/png": "png", "image/jpeg": "jpeg", "image/webp": "webp"}


class _Usage(msgspec.Struct):
    input_tokens: int = 0
    output_tokens: int = 0


class _Reply(msgspec.Struct):
    data: list[dict[str, msgspec.Raw]]
    usage: _Usage | None = None


_reply = msgspec.json.Decoder(_Reply)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text = msgspec.json.Decoder(str)
_encode = msgspec.json.Encoder().encode


class ImageStore:
    """Stores images until their links expire."""

    def __init__(
        self, objects: Objects, signer: Signer, hours: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._objects = objects
        self._signer = signer
        self._seconds = hours * 3600
        self._clock = clock

    def keep(self, body: bytes, delivery: ImageDelivery, job: Job) -> StoredReply:
        """Convert an engine's response to the client's.

        Raises EngineFailed if images are missing, InternalError if they cannot be stored.
        """
        try:
            response, reply = _reply.decode(body), _fields.decode(body)
        except msgspec.DecodeError:
            raise EngineFailed from None
        if len(response.data) != delivery.count:
            raise EngineFailed
        shown = []
        for image in response.data:
            job.step()
            shown.append(self._shown(image, delivery))
        usage = response.usage or _Usage()
        whole = _encode(reply | {"data": shown})
        return StoredReply(whole, usage.input_tokens, usage.output_tokens)

    def _shown(self, image: dict[str, msgspec.Raw], delivery: ImageDelivery) -> dict[str, object]:
        """One image of the response: the engine's fields, with a URL, base64 or both."""
        encoded = image.pop("b64_json", msgspec.Raw(b'""'))
        data, ending = _file(encoded)
        image.pop("url", None)
        shown: dict[str, object] = {"url": self._link(data, ending)} if delivery.url else {}
        return shown | ({"b64_json": encoded} if delivery.base64 else {}) | image

    def _link(self, data: bytes, ending: str) -> str:
        try:
            name = self._objects.put(data, ending)
        except StorageError as error:
            log.error("keep.failed", error=str(error))  # noqa: TRY400 (it says all there is)
            raise InternalError from error
        return self._signer.link(name, int(self._clock()) + self._seconds)


def _file(encoded: msgspec.Raw) -> tuple[bytes, str]:
    """The decoded image and its file extension. Raises EngineFailed."""
    try:
        data = base64.b64decode(_text.decode(encoded), validate=True)
        return data, _ENDINGS[sniff.picture(data[: sniff.HEAD])]
    except (msgspec.DecodeError, binascii.Error, KeyError):
        raise EngineFailed from None
