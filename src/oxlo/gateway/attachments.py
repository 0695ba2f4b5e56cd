"""The files that come with a call: the media process makes them, the call's end removes them."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import msgspec

from oxlo.engines.dialects import dialect
from oxlo.errors import ApiError, Overloaded
from oxlo.gateway.body import Body
from oxlo.gateway.spool import Spool
from oxlo.gateway.upstream import Collect, Sending, Upstream
from oxlo.settings import Settings
from oxlo.wire.media import FOLDER, JSON_FIELDS, SPOOLED, File, Inspect, Inspected, Medium, Unpacked

#: The media process speaks as our engines do.
_DIALECT = dialect("oxlo")

Result = TypeVar("Result", bound=msgspec.Struct)


class Media:
    """The media process, as the calls of a gateway reach it."""

    def __init__(self, settings: Settings, spool: Spool, loop: asyncio.AbstractEventLoop) -> None:
        self.upstream = Upstream(f"unix:{settings.media_socket}", loop)
        self.timeout = settings.media_timeout
        self.spool = spool
        self.loop = loop


class Attachments:
    """One call's files, and what is being asked about them."""

    def __init__(self, media: Media, call_id: str) -> None:
        self._media = media
        self._folder = media.spool.folder(call_id)
        self._asking: Sending | None = None
        self._deadline: asyncio.TimerHandle | None = None
        #: What the body had in it.
        self._unpacked: tuple[File, ...] = ()

    def unpack(
        self, body: Body, kind: bytes, fields: str, then: Callable[[bytes | ApiError], None]
    ) -> None:
        """Take files out of a form, or out of `fields` of a JSON body; `then` gets what is left."""

        def unpacked(result: Unpacked | ApiError) -> None:
            if isinstance(result, Unpacked):
                self._unpacked = result.files
                then(bytes(result.body))
            else:
                then(result)

        lines = b"content-type: %b\r\n%b" % (kind, _line(JSON_FIELDS, fields))
        path = body.path
        if path:
            self._ask(b"/unpack", lines + _line(SPOOLED, path), b"", Unpacked, unpacked)
        else:
            self._ask(b"/unpack", lines, body.read(), Unpacked, unpacked)

    def inspect(
        self, media: tuple[Medium, ...], then: Callable[[tuple[File, ...] | ApiError], None]
    ) -> None:
        """Make a file of each medium; `then` gets them in their order."""

        def inspected(result: Inspected | ApiError) -> None:
            then(result.files if isinstance(result, Inspected) else result)

        asked = msgspec.json.encode(Inspect(media, self._unpacked))
        self._ask(b"/inspect", b"", asked, Inspected, inspected)

    def _ask(
        self,
        target: bytes,
        lines: bytes,
        body: bytes,
        kind: type[Result],
        then: Callable[[Result | ApiError], None],
    ) -> None:
        def done(status: int, reply: bytes) -> None:
            self._stop_asking()
            then(msgspec.json.decode(reply, type=kind) if status == 200 else _why(status, reply))

        def late() -> None:
            self._stop_asking()
            then(_unavailable())

        media = self._media
        self._deadline = media.loop.call_later(media.timeout, late)
        lines += _line(FOLDER, self._folder)
        self._asking = media.upstream.request(b"POST", target, lines, body, Collect(done))

    def _stop_asking(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        if self._asking is not None:
            self._asking.cancel()
        self._deadline = self._asking = None

    def close(self) -> None:
        """Ask no more, and remove the files."""
        self._stop_asking()
        self._media.spool.discard_folder(self._folder)


def _line(name: str, value: str) -> bytes:
    return f"{name}: {value}\r\n".encode()


def _why(status: int, reply: bytes) -> ApiError:
    """A refusal is the client's to read; anything else is ours."""
    return _DIALECT.error(status, reply) if status == 400 else _unavailable()


def _unavailable() -> Overloaded:
    return Overloaded(
        "Files and large requests cannot be read just now. It did not count; please try again.",
        retry_after=2,
    )
