"""What a call carries beside text: what the caller names, and the files that are made of it."""

from typing import Literal

import msgspec

Kind = Literal["image", "audio"]

#: Headers of the media process: the call's folder and the body's file where it has one, both
#: percent-encoded, and the fields of a JSON body that may be files.
FOLDER = "x-oxlo-folder"
SPOOLED = "x-oxlo-spool"
JSON_FIELDS = "x-oxlo-fields"
#: A header too: what is to become of the images of an engine's reply (`Keep`, as JSON).
KEEP = "x-oxlo-keep"

#: Stands in a request for what was sent along as its Nth file.
FILE = "oxlo-file:"


class Medium(msgspec.Struct, frozen=True, kw_only=True):
    """A picture or recording that a request names: a URL, a data URI, base64, or `oxlo-file:N`."""

    source: str
    kind: Kind
    #: The field that names it, for errors.
    param: str
    #: Whether its file has to hold a data URI, for engines that take pictures in JSON.
    data_uri: bool = False


class File(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file of a call, in the gateway's spool for as long as the call lasts."""

    path: str
    #: Bytes.
    size: int
    #: Its media type, by its first bytes once it was inspected.
    type: str
    #: As the caller named it; "" for what came without a name.
    name: str = ""
    #: Pixels, of pictures that were inspected.
    width: int | None = None
    height: int | None = None


class Unpacked(msgspec.Struct, frozen=True):
    """A body as its endpoint reads it, small, and the files that were in it."""

    files: tuple[File, ...]
    #: UNSET: there was no file in it, and it stays as it came.
    body: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class Inspect(msgspec.Struct, frozen=True):
    """Media to be made into files; `files` are those that `oxlo-file:N` means."""

    media: tuple[Medium, ...]
    files: tuple[File, ...] = ()


class Inspected(msgspec.Struct, frozen=True):
    """A file for each medium, in their order."""

    files: tuple[File, ...]


class Keep(msgspec.Struct, frozen=True):
    """What a caller wants of made images."""

    #: How many there have to be.
    count: int
    #: Links to them, and themselves in base64.
    url: bool
    base64: bool


class Kept(msgspec.Struct, frozen=True):
    """A reply about made images, and the tokens that it tells of.

    Between processes the tokens are a line before the reply: nobody has to read through it.
    """

    reply: bytes
    input_tokens: int
    output_tokens: int

    def framed(self) -> bytes:
        """As it travels."""
        return b"%d %d\n%b" % (self.input_tokens, self.output_tokens, self.reply)


def unframed(data: bytes) -> Kept:
    """The inverse of `Kept.framed`."""
    line, _, reply = data.partition(b"\n")
    told = line.split()
    return Kept(reply, int(told[0]), int(told[1]))
