"""A call's media files: created by the media process, removed when the call ends."""

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import quote

import msgspec

from oxlo.engines.dialects import dialect
from oxlo.errors import ApiError, Overloaded
from oxlo.gateway.body import Body
from oxlo.gateway.media import Media, line
from oxlo.gateway.timed import TimedRequest
from oxlo.wire.media import FOLDER, JSON_FIELDS, SPOOLED, File, Inspect, Inspected, Medium, Unpacked

#: The media process uses the same protocol as our engines.
_DIALECT = dialect("oxlo")

Result = TypeVar("Result", bound=msgspec.Struct)


class Attachments:
    """One call's files, and the pending request to the media process."""

    def __init__(self, media: Media, call_id: str) -> None:
        self._media = media
        self._folder = media.spool.folder(call_id)
        self._asking: TimedRequest | None = None
        #: The files extracted from the body.
        self._unpacked: tuple[File, ...] = ()

    def unpack(
        self, body: Body, kind: bytes, fields: str, then: Callable[[bytes | ApiError], None]
    ) -> None:
        """Extract files from a form or from `fields` of a JSON body; `then` gets the rest of it."""

        def unpacked(result: Unpacked | ApiError) -> None:
            if isinstance(result, ApiError):
                then(result)
                return
            self._unpacked = result.files
            then(_remaining_body(result, body))

        lines = b"content-type: %b\r\n%b" % (kind, line(JSON_FIELDS, fields))
        path = body.path
        if path:
            self._ask(b"/unpack", lines + line(SPOOLED, quote(path)), b"", Unpacked, unpacked)
        else:
            self._ask(b"/unpack", lines, body.read(), Unpacked, unpacked)

    def inspect(
        self, media: tuple[Medium, ...], then: Callable[[tuple[File, ...] | ApiError], None]
    ) -> None:
        """Create a file for each media item; `then` gets them in the same order."""

        def inspected(result: Inspected | ApiError) -> None:
            then(result.files if isinstance(result, Inspected) else result)

        payload = msgspec.json.encode(Inspect(media, self._unpacked))
        self._ask(b"/inspect", b"", payload, Inspected, inspected)

    def _ask(
        self,
        target: bytes,
        lines: bytes,
        body: bytes,
        kind: type[Result],
        then: Callable[[Result | ApiError], None],
    ) -> None:
        def done(status: int, reply: bytes) -> None:
            self._asking = None
            then(msgspec.json.decode(reply, type=kind) if status == 200 else _error(status, reply))

        lines += line(FOLDER, quote(self._folder))
        self._asking = self._media.post(target, lines, body, done)

    def close(self) -> None:
        """Cancel the pending request and remove the files."""
        if self._asking is not None:
            self._asking.cancel()
        self._media.spool.discard_folder(self._folder)


def _remaining_body(unpacked: Unpacked, body: Body) -> bytes | ApiError:
    """The remaining body; the whole one if nothing was extracted."""
    if isinstance(unpacked.body, msgspec.Raw):
        return bytes(unpacked.body)
    try:
        return body.read()
    except ApiError as error:
        return error


def _error(status: int, reply: bytes) -> ApiError:
    """A client error is passed on; anything else is an error of ours."""
    return _DIALECT.error(status, reply) if status == 400 else _unavailable()


def _unavailable() -> Overloaded:
    return Overloaded(
        "Files and large requests cannot be read right now. It did not count; please try again.",
        retry_after=2,
    )
