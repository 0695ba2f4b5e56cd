"""Media in requests, and the protocol between the gateway and the media process."""

from typing import Literal

import msgspec

Kind = Literal["image", "audio"]

#: Headers: the request's folder and the body's file, if any, both percent-encoded; and the fields
#: of a JSON body that may be files.
FOLDER = "x-oxlo-folder"
SPOOLED = "x-oxlo-spool"
JSON_FIELDS = "x-oxlo-fields"
#: Header: how to store the images of an engine's response (`ImageDelivery`, as JSON).
KEEP = "x-oxlo-keep"

#: Placeholder in a request for its Nth file.
FILE = "oxlo-file:"


class Medium(msgspec.Struct, frozen=True, kw_only=True):
    """An image or recording in a request: a URL, a data URI, base64, or `oxlo-file:N`."""

    source: str
    kind: Kind
    #: The request's field, for errors.
    param: str
    #: Whether to write the file as a data URI, for engines that take images in JSON.
    data_uri: bool = False


class File(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file of a request, in the gateway's spool while the request lasts."""

    path: str
    #: Bytes.
    size: int
    #: Media type; once inspected, by its content.
    type: str
    #: The client's file name; "" if there is none.
    name: str = ""
    #: Size in pixels, of inspected images.
    width: int | None = None
    height: int | None = None


class Unpacked(msgspec.Struct, frozen=True):
    """The small JSON body for the endpoint, and the files extracted from it."""

    files: tuple[File, ...]
    #: UNSET: there was no file, so the body is unchanged.
    body: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class Inspect(msgspec.Struct, frozen=True):
    """Media to fetch or decode to files; `files` are the targets of `oxlo-file:N`."""

    media: tuple[Medium, ...]
    files: tuple[File, ...] = ()


class Inspected(msgspec.Struct, frozen=True):
    """A file for each medium, in order."""

    files: tuple[File, ...]


class ImageDelivery(msgspec.Struct, frozen=True):
    """How to return generated images."""

    #: Expected number of images.
    count: int
    #: Whether to return URLs, and base64.
    url: bool
    base64: bool


class StoredReply(msgspec.Struct, frozen=True):
    """The client's response with generated images, and its token usage.

    Between processes the usage is a line before the response, so that nobody has to parse it.
    """

    reply: bytes
    input_tokens: int
    output_tokens: int

    def framed(self) -> bytes:
        """Serialised."""
        return b"%d %d\n%b" % (self.input_tokens, self.output_tokens, self.reply)


def unframed(data: bytes) -> StoredReply:
    """The inverse of `StoredReply.framed`."""
    line, _, reply = data.partition(b"\n")
    input_tokens, output_tokens = line.split()
    return StoredReply(reply, int(input_tokens), int(output_tokens))
